"""Floor 4: the built-in agents. For now one that needs no key: `guide`, which echoes and explains."""

"""How this machine is, and what is installed on it."""

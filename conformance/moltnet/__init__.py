"""What the reference client of Moltnet sends and what it requires of the answers, written from its observable facts."""

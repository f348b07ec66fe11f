"""`instar exec`: a call from the terminal, its streams, signals and approval."""

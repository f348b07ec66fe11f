"""The program on a machine: it dials in, resolves what it is asked, runs it, and says how it went."""

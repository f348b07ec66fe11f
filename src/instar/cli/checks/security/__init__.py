"""The checks of `instar security audit`."""

"""The native link `instar.v1`: frames and both ends of its machine."""

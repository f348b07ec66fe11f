"""Secrets at rest: encrypted with a key file of the data folder."""

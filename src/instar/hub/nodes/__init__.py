"""Nodes: machines that dial in, what they may be asked, how they are."""

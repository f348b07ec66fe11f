"""Nodes of the dialects: what they offer, what they are asked over their socket, and what they say by themselves."""

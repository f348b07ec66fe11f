"""Agents: who can be woken, who is here, and what they are doing."""

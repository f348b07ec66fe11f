"""Calls: the one gate through which anything runs outside the hub, and what became of it."""

"""Presence: who is connected now."""

"""Devices: programs and machines with a key of their own, and how one is let in (`docs/devices.md`)."""

"""Runs: one waking of an agent that this hub hosts (law 6). `runs.Runs` is the door to the package."""

"""Floor 1: what can be said. Types, limits, error codes, operation declarations and the dialects' machines."""

"""Settings: one typed tree, its sources in order, and what each value came from."""

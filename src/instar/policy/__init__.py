"""IO-free rules that hub and node share: rule grammar, globs, shell parser, canonical digests, environment, routing."""

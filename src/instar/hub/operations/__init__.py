"""The one way in: doors ask `Hub` to authenticate, to do operations and to open feeds, and import nothing else."""

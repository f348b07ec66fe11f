"""What lies where in a data directory."""

DATABASE = "instar.db"
BACKUPS = "backups"
BLOBS = "blobs"
SEARCH_INDEX = "search.db"
"""A derived file of the search follower: never in a backup, deleted by a restore."""

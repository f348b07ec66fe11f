"""Floor 2: what is remembered. The log, tables, follower cursors, blobs, migrations and backup, behind one seam."""

"""Law 3: one delivery engine with two views, the feed and the inbox; and the guard against loops."""

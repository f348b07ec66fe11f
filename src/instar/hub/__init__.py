"""Floor 3: what exists and what happens. One package a noun; each imports only those below it:

act < identity < follower < settings < rooms < agents < delivery < runs < operations
"""

"""Who may do what: one `authenticate`, one `may`, one `attenuate` (law 4).

`principals` are the nouns and lie below `hub.act`; the rest of the package lies above it.
"""

"""The parents of a call's processes: small processes of their own, so that a tree ends whole whatever ends first.

A *zygote* is started once by the node and forks a *supervisor* for each call; the supervisor forks the program. Both
are subreapers: what forks twice and leaves its session still has the supervisor for an ancestor. When the node's end
of a supervisor's control socket closes, in whatever way the node ended, the supervisor kills its tree.

Only the standard library is imported here: the zygote is forked from, so it stays small.
"""

"""The wake policies, as a choice on the command line; a test compares them with `wire.agents.Wake`."""

WAKES = ("all", "mentions", "thread_only", "never")

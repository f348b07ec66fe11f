"""The seam between the gate and whatever carries a call out, by the name that `calls` knows it by."""

from instar.hub.execution import CallSink, Executor, TargetSource

__all__ = ["CallSink", "Executor", "TargetSource"]

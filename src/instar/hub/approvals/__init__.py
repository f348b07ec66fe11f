"""Approvals: the rules that decide about calls, and the calls that wait for a person."""

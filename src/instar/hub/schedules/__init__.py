"""Schedules: time as a cause. A due slot becomes one event, whatever happens to the process or the clock."""

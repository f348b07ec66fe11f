"""For every test of the project: no deadline on properties (the machine may be busy), and skips that CI forbids."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("instar", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("instar")

FORBIDS_SKIPS = bool(os.environ.get("INSTAR_FORBID_SKIPS"))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a green run in which a test was skipped, where skips are forbidden."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if FORBIDS_SKIPS and skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(skipped)} tests were skipped, and INSTAR_FORBID_SKIPS is set", red=True)

"""What holds for all rings of tests: how long properties search, and that nothing is left out without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import heard
from tests.heard import _logs_tell_of_nobody

__all__ = ["_logs_tell_of_nobody"]

# A server that is promised in CI and missing is a failure there; elsewhere its tests are skipped, and counted aloud.
SERVICES = {
    "postgres": "PostgreSQL (no server answers at NURTURE_TEST_POSTGRES)",
    "chromium": "Chromium (.ci/install-peers installs it)",
    "tools": "systemd-analyze and OpenSSL (.ci/install-peers installs them)",
    "editor": "a YAML language server (.ci/install-peers installs it)",
    "peers": "Debian's mail servers (.ci/install-peers installs them, and their tests run as root)",
}
IN_CI = os.environ.get("CI") == "true"

for name, examples in (("dev", 50), ("ci", 100), ("nightly", 5000)):
    # No deadline: a machine shared by two workers is slow now and then, and that is no finding.
    settings.register_profile(
        name, max_examples=examples, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


heard.listen()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    missing = next((name for name in SERVICES if item.get_closest_marker(name)), None)
    if missing is not None and report.skipped and not hasattr(report, "wasxfail"):
        report.missing_service = missing  # travels with the report from the workers of xdist, too
        if IN_CI:
            report.outcome, report.longrepr = "failed", f"promised in CI and missing: {SERVICES[missing]}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for kind in ("skipped", "failed", "error") for report in terminalreporter.stats.get(kind, [])]
    for name, what in SERVICES.items():
        count = sum(getattr(report, "missing_service", None) == name for report in reports)
        if count:
            terminalreporter.write_line(f"{count} tests did not run for want of {what}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: begun last they would leave one of two workers idle for minutes."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)

"""Thousands of steps of people, programs, servers and accidents: no mail ever goes to somebody who may not get it.

`permission.model` says in a few dictionaries who may get what; `permission.world` is the real program; each step of
`permission.machine` happens to both. Trust R1, R11, C6, C13, C16, C17, C24, C25, C28, E14.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.permission.machine import Machine, counts
from tests.properties.permission.world import Ground

IN_CI = os.environ.get("CI") == "true"
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev")
WORLDS, STEPS = {"dev": (25, 40), "ci": (280, 50), "nightly": (4_000, 60)}[PROFILE]
# CI takes the same steps each time, so that a red build is the work of its change; elsewhere chance finds
# what nobody thought of. A failure is made small at home, where it can be waited for.
SEARCH = settings(
    max_examples=WORLDS,
    stateful_step_count=STEPS,
    derandomize=PROFILE == "ci",
    phases=(Phase.explicit, Phase.generate) if IN_CI else tuple(Phase),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_c06_c17_c24_e14_r01_no_mail_ever_goes_to_somebody_who_may_not_get_it(tmp_path: Path) -> None:
    counts.clear()
    Machine.ground = Ground.make(tmp_path)
    run_state_machine_as_test(Machine, settings=SEARCH)
    steps, sent = counts["steps"], sum(counts[kind] for kind in ("marketing", "service", "confirm"))
    assert sent > steps / 20, f"{sent} mails in {steps} steps prove little"
    if PROFILE != "dev":
        assert steps >= 10_000, counts
        assert min(counts[kind] for kind in ("marketing", "service", "confirm", "confirmed")) > 10, counts

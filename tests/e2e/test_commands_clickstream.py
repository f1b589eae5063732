"""`nurture simulate` over six months of a real shop's clicks: the same figures as a count by brute force."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nurture.cli import run
from tests.e2e.test_clickstream import CLICKS, HERE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLICKS.exists(), reason="the clickstream is not here; set NURTURE_SHARED to run this"),
]


def test_the_command_agrees_with_brute_force(capsys: pytest.CaptureFixture[str]) -> None:
    script = [sys.executable, str(HERE / "brute_force_carts.py"), str(CLICKS)]
    expected = json.loads(subprocess.run(script, check=True, capture_output=True, text=True).stdout)
    project = HERE / "clickstream"
    options = ["--events", str(CLICKS), "--mapping", str(project / "mapping.yaml"), "--json"]
    assert run(["--project", str(project), "simulate", "cart-recovery", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in expected} == expected

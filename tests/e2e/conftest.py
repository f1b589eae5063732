from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.commands import Shop, make_shop


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A small project with two campaigns, nothing deployed yet."""
    monkeypatch.setenv("COLUMNS", "120")
    # Loggers keep the stderr they first met, and that of another test is closed by now.
    monkeypatch.setattr("nurture.logs.set_up", lambda: None)
    return make_shop(tmp_path, capsys)

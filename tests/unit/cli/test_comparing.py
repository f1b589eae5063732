"""Instants as campaign files write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from nurture.cli.comparing import since

START = datetime.fromisoformat("2026-03-28T10:00+01:00")


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-03-28T10:00+01:00", "0h"),
        ("2026-03-28T10:30:05+01:00", "30m5s"),
        ("2026-03-29T11:00+02:00", "1d1h"),  # the night the clocks went forward is a day like any other
        ("2026-03-28T09:00+01:00", "-1h"),
    ],
)
def test_a_duration_from_the_start_counts_days_on_the_leads_clock(at: str, text: str) -> None:
    assert since(START, datetime.fromisoformat(at), "Europe/Paris") == text

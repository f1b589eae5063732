"""A cart campaign over six months of a real shop's clicks: the simulator against a count by brute force."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, func, select

from nurture.campaign.mapping import read_mapping
from nurture.engine.checking import check_project
from nurture.engine.drafts import Drafts
from nurture.engine.imports import read_events
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.rows import open_table
from nurture.folder import read_folder
from nurture.settings import read_language
from nurture.store.casting import Cast
from nurture.store.tables import decisions, enrollments, messages

SHARED = Path(os.environ.get("NURTURE_SHARED", Path(__file__).parents[3] / "shared"))
CLICKS = SHARED / "data" / "shop" / "clickstream.csv.gz"
HERE = Path(__file__).parent
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    not CLICKS.exists(), reason="the clickstream is not here; set NURTURE_SHARED to run this"
)


def test_the_simulator_agrees_with_brute_force() -> None:
    script = [sys.executable, str(HERE / "brute_force_carts.py"), str(CLICKS)]
    expected = json.loads(subprocess.run(script, check=True, capture_output=True, text=True).stdout)
    assert simulated() == expected


def simulated() -> dict[str, Any]:
    folder = read_folder(HERE / "clickstream")
    project = read_language(folder, {}).project
    checked = check_project(project, folder.campaigns, folder.templates)
    mapping, _ = read_mapping("mapping.yaml", (HERE / "clickstream" / "mapping.yaml").read_text(encoding="utf-8"))
    assert mapping is not None
    places: dict[str, int] = {}
    events = []
    with ExitStack() as files:
        table = files.enter_context(open_table(CLICKS))
        for spooled in read_events(table, Drafts(mapping, project, END), files, refuse):
            who = places.setdefault(spooled.draft.who.text, len(places))
            events.append(Scripted(spooled.at, who, spooled.draft.name, spooled.draft.properties))
    cast = [Cast(fields={"email": f"{name}@example.com"}, consents=["offers"], external_id=name) for name in places]
    with Rehearsal(project, checked.plans, START) as stage:
        stage.play(cast, events, END)
        with stage.database.read() as tx:

            def counts(column: ColumnElement[str], where: ColumnElement[bool]) -> dict[str, int]:
                found = tx.execute(select(column, func.count()).where(where).group_by(column))
                return {row[0]: row[1] for row in found}

            return {
                "entered": tx.execute(select(func.count()).select_from(enrollments)).scalar(),
                "not_entered": counts(decisions.c.reason, decisions.c.what == "not_entered"),
                "sent": counts(messages.c.template, messages.c.state == "sent"),
                "ended": counts(enrollments.c.state, enrollments.c.ended_at.is_not(None)),
            }


def refuse(line: int, reason: str) -> None:
    raise AssertionError(f"line {line}: {reason}")

"""`nurture consent dossier` and `checkpoint`: proof handed over, and held against the ledger later."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.commands import Shop


@pytest.fixture
def live(shop: Shop) -> Shop:
    shop.deploy()
    shop.people("ann", "bob")
    shop.work()
    return shop


def change(shop: Shop, statement: str) -> None:
    with sqlite3.connect(shop.root / "nurture.db") as connection:
        connection.execute(statement)


def test_c01_the_dossier_prints_wording_time_and_method(live: Shop) -> None:
    assert live.run("consent", "dossier", "ann") == 0
    for said in ("ann@example.com", "offers: consent given", "<blockquote>w</blockquote>", "2025-12-31T23:00", "till"):
        assert said in live.out
    assert "The chain of these entries is whole" in live.out


def test_c01_the_wording_is_shown_after_the_project_forgot_it(live: Shop) -> None:
    config = live.root / "config.yaml"
    config.write_text(config.read_text().replace("Yes, write to me.", "Something else."))
    said = live.json("consent", "dossier", "ann")
    assert said["events"][0]["proof"]["wording"] == "w"


def test_c05_the_dossier_as_json_names_principal_party_purpose_and_events(live: Shop) -> None:
    said = live.json("consent", "dossier", "ann")
    assert said["schema_version"] == "ISO/IEC TS 27560:2023"
    assert [p["purpose_id"] for p in said["pii_processing"]] == ["offers"]
    assert said["party_identification"][0]["party_name"] == "Acme"
    assert [e["event_state"] for e in said["events"]] == ["consent given"]


def test_c04_a_dossier_of_a_changed_chain_says_so(live: Shop) -> None:
    change(live, "UPDATE consent_ledger SET wording = 'Yes to everything'")
    assert live.run("consent", "dossier", "ann") == 0
    assert "The chain of these entries is broken" in live.out


def test_x03_a_wording_with_markup_is_text_in_the_dossier(live: Shop) -> None:
    change(live, "UPDATE consent_ledger SET wording = '<script>alert(1)</script>'")
    live.run("consent", "dossier", "ann")
    assert "<script>" not in live.out


def test_c04_a_checkpoint_holds_and_names_nobody(live: Shop, tmp_path: Path) -> None:
    assert live.run("consent", "checkpoint") == 0
    kept = tmp_path / "kept.json"
    kept.write_text(live.out)
    assert "ann" not in live.out
    live.people("ann", "bob", "cyd")
    assert live.run("consent", "checkpoint", "--verify", kept) == 0
    assert "the ledger holds everything" in live.out


def test_c04_a_chain_that_vanished_with_its_head_is_found_by_the_checkpoint(live: Shop, tmp_path: Path) -> None:
    live.run("consent", "checkpoint")
    kept = tmp_path / "kept.json"
    kept.write_text(live.out)
    change(live, "DELETE FROM consent_ledger WHERE lead_id = 1")
    change(live, "DELETE FROM consent_ledger_heads WHERE lead_id = 1")
    assert live.run("consent", "checkpoint", "--verify", kept) == 1
    assert "entry 1 is gone" in live.out


def test_c04_a_changed_checkpoint_is_refused(live: Shop, tmp_path: Path) -> None:
    live.run("consent", "checkpoint")
    said = json.loads(live.out)
    said["chains"].popitem()
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(said))
    assert live.run("consent", "checkpoint", "--verify", kept) == 1
    assert "the checkpoint itself was changed" in live.out

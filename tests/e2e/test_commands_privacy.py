"""`nurture privacy`, as an operator runs it, down to the files on the disk."""

from __future__ import annotations

import email
import email.policy
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.app import App, open_app
from nurture.engine.consent import change
from nurture.lead.consent import Action, Declaration, Proof
from nurture.store.identities import find_lead
from nurture.worker import Worker
from tests.e2e.commands import CONFIG, MAIL, Shop

PRIVACY = """\
privacy:
  controller: Acme SARL, 1 rue de la Paix, 75002 Paris
  contact: privacy@acme.example
  recipients: ["Hoster GmbH: keeps the servers"]
  retention: {events: 90d, visits: 30d}
"""


@pytest.fixture
def live(shop: Shop) -> Shop:
    """Two leads, everything deployed."""
    shop.write("config.yaml", CONFIG + PRIVACY + "tracking: true\n")
    shop.write("templates/hello.html", MAIL + '<p><a href="https://shop.example/new">New</a></p>\n')
    shop.deploy()
    shop.people("ann", "bob")
    shop.work()
    return shop


def declare(shop: Shop, ref: str, action: Action, topic: str) -> None:
    at = open_app(shop.root)
    with at.database.write() as tx:
        lead = find_lead(tx, ref)
        assert lead is not None
        now = datetime.now(UTC)
        said = Declaration(lead, topic, action, "person", "person", now, Proof(method="page"))
        change(tx, [said], at.rules(), now)
    at.database.close()


def mails(shop: Shop) -> dict[str, str]:
    """HTML by address, of what left."""
    found = {}
    for path in shop.root.joinpath("mails").rglob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("html",))
        assert body is not None
        found[str(mail["To"].addresses[0].addr_spec)] = body.get_content()
    return found


def files_with(shop: Shop, text: str) -> list[str]:
    """Files of ours, but for what the operator brought and the mails that left."""
    ours = [*shop.root.glob("nurture.db*"), *shop.root.joinpath(".nurture").rglob("*")]
    return [path.name for path in ours if path.is_file() and text.encode() in path.read_bytes()]


def test_c22_export_prints_one_json_with_the_proof(live: Shop) -> None:
    assert live.run("privacy", "export", "ann") == 0
    said = json.loads(live.out)
    assert said["lead"]["email"] == "ann@example.com"
    assert [e["wording"] for e in said["consent_ledger"]] == ["w"]
    assert said["about"]["recipients"] == ["Hoster GmbH: keeps the servers"]
    assert said["about"]["retention"] == {"pending": "30d", "events": "90d", "visits": "30d"}


def test_c22_export_into_files_only_the_owner_may_read(live: Shop, tmp_path: Path) -> None:
    out, folder = tmp_path / "ann.json", tmp_path / "csv"
    assert live.run("privacy", "export", "ann", "--out", out, "--csv", folder) == 0
    assert "ann@example.com" not in live.out
    assert out.stat().st_mode & 0o077 == 0
    assert "ann@example.com" in (folder / "lead.csv").read_text()


def test_c23_erase_leaves_nothing_in_the_files_and_says_so(live: Shop) -> None:
    live.run("enroll", "hello", "ann@example.com")
    live.work()
    assert "nurture.db" in files_with(live, "ann@example.com")
    assert live.run("privacy", "erase", "ann@example.com", "--yes", "--reason", "ticket 7") == 0, live.err
    assert "1 enrollment ended" in live.out
    assert files_with(live, "ann@example.com") == []
    assert live.run("leads", "show", "ann@example.com") == 1


def test_c23_an_erased_person_imported_again_gets_no_mail(live: Shop) -> None:
    assert live.run("privacy", "erase", "ann", "--yes") == 0
    live.people("ann", "bob", "cyd")
    live.run("enroll", "hello", "ann@example.com")
    live.run("enroll", "hello", "cyd@example.com")
    live.work()
    assert list(mails(live)) == ["cyd@example.com"]


def test_c23_erase_asks_first(live: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.confirm", lambda _question: False)
    assert live.run("privacy", "erase", "ann") == 1
    assert live.run("leads", "show", "ann") == 0


def test_c25_a_worker_over_a_restored_backup_writes_to_nobody_who_left(live: Shop) -> None:
    backup = live.root / "backup.db"
    shutil.copy(live.root / "nurture.db", backup)
    declare(live, "ann", "withdraw", "offers")
    assert live.run("privacy", "erase", "bob", "--yes") == 0
    shutil.copy(backup, live.root / "nurture.db")
    live.run("enroll", "hello", "ann@example.com")
    live.run("enroll", "hello", "bob@example.com")
    live.work()
    assert mails(live) == {}
    assert live.run("leads", "show", "bob@example.com") == 1


def test_c26_retention_counts_dry_what_it_then_takes(live: Shop) -> None:
    dry = live.json("privacy", "retention", "--dry-run")
    assert [(kept["kind"], kept["kept"]) for kept in dry] == [("pending", "30d"), ("events", "90d"), ("visits", "30d")]
    wet = live.json("privacy", "retention")
    assert [kept["count"] for kept in dry] == [kept["count"] for kept in wet]


async def test_c26_a_workers_night_leaves_nothing_of_who_was_erased_in_the_files(live: Shop) -> None:
    app = open_app(live.root)
    lead = find(app, "ann@example.com")
    app.erase(lead, "operator")
    await Worker(app, shared=False)._retain()
    app.database.close()
    assert files_with(live, "ann@example.com") == []


def find(app: App, ref: str) -> int:
    with app.database.read() as tx:
        found = find_lead(tx, ref)
    assert found is not None
    return found


def test_c28_restrict_keeps_the_lead_out_of_mails_until_lifted(live: Shop) -> None:
    assert live.run("privacy", "restrict", "ann", "--reason", "ticket 8") == 0
    live.run("enroll", "hello", "ann@example.com")
    live.work()
    assert mails(live) == {}
    assert live.run("privacy", "restrict", "ann", "--lift") == 0
    assert "used again" in live.out


def test_c28_rectify_corrects_and_keeps_the_proof(live: Shop) -> None:
    before = live.json("consent", "show", "ann")["entries"]
    assert live.run("privacy", "rectify", "ann", "--set", "first_name=Anna", "--set", "phone=", "--reason", "t 9") == 0
    assert "first_name corrected" in live.out
    assert live.json("leads", "show", "ann")["attributes"]["first_name"] == "Anna"
    assert live.json("consent", "show", "ann")["entries"] == before


def test_c28_a_rectified_address_is_the_one_that_is_written_to(live: Shop) -> None:
    assert live.run("privacy", "rectify", "ann", "--set", "email=anna@example.com") == 0
    live.run("enroll", "hello", "ann")
    live.work()
    assert "anna@example.com" in mails(live)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("email=bob@example.com", "the address belongs to another lead"),
        ("email=no address", "email: "),
        ("email=", "an address is replaced, not taken away"),
        ("frist_name=A", "did you mean 'first_name'?"),
        ("first_name", "is not NAME=VALUE"),
    ],
)
def test_c28_what_cannot_be_right_is_refused_and_nothing_changes(live: Shop, given: str, why: str) -> None:
    before = live.json("leads", "show", "ann")
    assert live.run("privacy", "rectify", "ann", "--set", "last_name=B", "--set", given) == 1
    assert why in live.err
    assert live.json("leads", "show", "ann") == before


def test_c30_requests_are_listed_with_the_day_each_must_be_done_by(live: Shop) -> None:
    """Received on Friday 2 January 2026: 10 business days are the 16th, 45 days the 16th of February."""
    live.run("privacy", "rectify", "ann", "--set", "country=US")
    for lead, what in (("ann", "erase"), ("bob", "data")):
        assert live.run("privacy", "receive", lead, what, "--on", "2026-01-02", "--reason", "letter 5") == 0, live.err
    assert live.run("privacy", "requests") == 0
    assert live.out.splitlines() == [
        "overdue  data     lead 2 (gdpr): asked 2026-01-02, due 2026-02-02",
        "overdue  erase    lead 1 (ccpa): asked 2026-01-02, acknowledge by 2026-01-16, due 2026-02-16",
    ]


def test_c30_what_was_done_is_no_longer_open(live: Shop) -> None:
    assert live.run("privacy", "receive", "ann", "erase") == 0
    assert live.run("privacy", "receive", "bob", "data") == 0
    live.run("privacy", "erase", "ann", "--yes")
    assert [r["what"] for r in live.json("privacy", "requests")] == ["data"]
    live.run("privacy", "export", "bob")
    assert live.json("privacy", "requests") == []
    assert [r["state"] for r in live.json("privacy", "requests", "--all")] == ["done", "done"]


def test_c30_opting_out_and_objecting_hold_at_once(live: Shop) -> None:
    for lead, what, topic in (("ann", "opt-out", "sale_share"), ("bob", "object", "offers")):
        assert live.run("privacy", "receive", lead, what, "--law", "ccpa") == 0, live.err
        assert live.json("consent", "show", lead)["consents"][topic]["state"] == "objected"
    assert live.json("privacy", "requests") == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["money"], "'money' cannot be asked for"),
        (["data", "--law", "lgpd"], "'lgpd' is not a law known here"),
        (["data", "--on", "2999-01-01"], "in the future"),
        (["data", "--reason", "ann@example.com"], "must not hold an address"),
    ],
)
def test_c30_a_request_that_cannot_be_is_refused(live: Shop, given: list[str], why: str) -> None:
    assert live.run("privacy", "receive", "ann", *given) == 1
    assert why in live.err


def test_c29_ropa_drafts_the_record_from_config(live: Shop) -> None:
    assert live.run("privacy", "ropa") == 0
    for said in (
        "# Record of processing: lead nurturing of acme",
        "Acme SARL, 1 rue de la Paix, 75002 Paris",
        "| Offers | consent, Art. 6(1)(a) |",
        "- Hoster GmbH: keeps the servers",
        "| What people did: visits, orders, clicks | 90d |",
        "| Why something was decided about a person | no limit set |",
    ):
        assert said in live.out


def test_c31_a_reason_with_an_address_is_refused_before_anything_is_done(live: Shop) -> None:
    assert live.run("privacy", "erase", "ann", "--yes", "--reason", "ann@example.com wrote") == 1
    assert live.run("leads", "show", "ann") == 0


def test_c20_only_who_agreed_gets_counted_links_and_the_picture(live: Shop) -> None:
    for purpose in ("tracking_clicks", "tracking_opens"):
        declare(live, "ann", "grant", purpose)
    for name in ("ann", "bob"):
        live.run("enroll", "hello", f"{name}@example.com")
    live.work()
    sent = mails(live)
    assert "/r/" in sent["ann@example.com"]
    assert "/o/" in sent["ann@example.com"]
    assert "https://shop.example/new" not in sent["ann@example.com"]
    assert "/r/" not in sent["bob@example.com"]
    assert "/o/" not in sent["bob@example.com"]
    assert "https://shop.example/new" in sent["bob@example.com"]


def test_c20_hygiene_only_puts_the_picture_in_and_rewrites_no_link(live: Shop) -> None:
    live.write("config.yaml", CONFIG + PRIVACY + "tracking: hygiene_only\n")
    live.deploy()
    live.run("enroll", "hello", "ann@example.com")
    live.work()
    html = mails(live)["ann@example.com"]
    assert 'href="https://shop.example/new"' in html
    assert "/o/" in html


def test_c20_each_kind_of_counting_is_agreed_to_by_itself(live: Shop) -> None:
    declare(live, "ann", "grant", "tracking_opens")
    live.run("enroll", "hello", "ann@example.com")
    live.work()
    [html] = mails(live).values()
    assert "/o/" in html
    assert "/r/" not in html

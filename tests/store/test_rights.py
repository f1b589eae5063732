"""Export, erasure, restriction, retention and the journal, on both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Float, Integer, LargeBinary, Table, insert, select, update

from nurture.campaign.duration import Duration
from nurture.campaign.project import Project, Score, ScoreRule, Sender, Topic
from nurture.engine import deploy, outcomes, privacy, retention
from nurture.engine.consent import ConsentRules, change
from nurture.engine.exporting import Processing, export, tables
from nurture.engine.live import Live, load_live
from nurture.engine.restoring import replay
from nurture.engine.turn import Turn
from nurture.errors import StoreUnavailable, UserError
from nurture.lead.consent import Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.store import rights, suppressions
from nurture.store import tables as t
from nurture.store.consents import people
from nurture.store.database import Database, open_database
from nurture.store.erasing import scrub
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.ledger_check import verify
from nurture.store.outbox import Claimed, Result
from nurture.store.permissions import permit
from nurture.store.suppression_journal import SuppressionJournal

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEYRING = Keyring(["a secret"])
PROJECT = Project(
    name="acme",
    zone="UTC",
    sender=Sender("Acme", "news@acme.example"),
    topics={
        "offers": Topic("offers", {"en": "Offers"}, {"en": "Yes to offers."}, double_opt_in=False),
        "news": Topic("news", {"en": "News"}, {"en": "Yes to news."}),
    },
    scores={"interest": Score("interest", (ScoreRule(5.0, "visit"),))},
)
RULES = ConsentRules(PROJECT, KEYRING)
MARK = "zzmarker"
FAR = 10_000  # ids of planted rows: the database gives out its own from 1
# What the program writes itself, in words that name nobody.
OURS = {
    *("state", "kind", "campaign", "version", "step", "shard", "hash", "subject", "prev", "lane", "outcome", "phase"),
    *("basis", "topic", "what", "actor", "funnel", "scope", "sha256", "mac", "actor", "mail_id", "template_hash"),
    # names out of campaigns and config.yaml
    *(
        "worker",
        "enhanced",
        "bounce",
        "pipeline",
        "stage",
        "currency",
        "template",
        "held",
        "arms",
        "loops",
        "done",
        "above",
    ),
}
OUR_REASONS = {"enrollments", "deals"}  # of ends and of lost deals: out of campaigns and config.yaml


@pytest.fixture
def live(db: Database) -> Live:
    with db.write() as tx:
        deploy.deploy(tx, PROJECT, {}, {}, NOW)
        found = load_live(tx, KEYRING, None)
    assert found is not None
    return found


def join(db: Database, name: str = "anna", **columns: Any) -> int:
    with db.write() as tx:
        call = LeadCall(external=f"{name}-{MARK}", columns={"email": f"{name}.{MARK}@example.com", **columns})
        [who] = upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=NOW)
    return who.lead


def say(db: Database, lead: int, action: Any, topic: str, at: datetime = NOW, **proof: Any) -> None:
    said = Declaration(lead, topic, action, "person", "person", at, Proof(method="page", **proof))
    with db.write() as tx:
        change(tx, [said], RULES, at)


def value(column: Any, table: str, n: int, lead: int) -> Any:
    if column.name == "lead_id":
        return lead
    if column.name in ("message_id", "deal_id", "enrollment_id"):
        return n
    if "UTCDateTime" in repr(column.type):
        return NOW
    if isinstance(column.type, LargeBinary):
        return f"Subject: {MARK} {table}\r\n\r\n{MARK} {table}.{column.name}".encode()
    if "JSON" in repr(column.type).upper() or isinstance(column.type, JSON):
        return {} if column.name in OURS else {"who": f"{MARK} {table}.{column.name}"}
    if isinstance(column.type, (Integer, Float)) or "INT" in repr(column.type).upper():
        return n
    if "BOOL" in repr(column.type).upper():
        return False
    if column.name == "state":
        return "sent" if table == "messages" else "finished"
    ours = column.name in OURS or (column.name == "reason" and table in OUR_REASONS)
    return "x" if ours else f"{MARK} {table}.{column.name}"


def plant(db: Database, lead: int) -> None:
    """A row of this lead in every table that can hold one, with a marker in every field a person's words can reach."""
    with db.write() as tx:
        for table in (*_of_lead(), t.attempts, t.message_links):
            row = {c.name: value(c, table.name, FAR + lead, lead) for c in table.columns}
            if table.name == "identities":
                row["kind"] = "anonymous"
            tx.execute(insert(table).values(**row))


def _of_lead() -> list[Table]:
    skipped = {"leads", "consent_ledger", "consent_ledger_heads", "privacy_actions"}
    return [x for x in t.metadata.sorted_tables if "lead_id" in x.c and x.name not in skipped]


def dump(db: Database) -> str:
    with db.read() as tx:
        rows = [(x.name, dict(r)) for x in t.metadata.sorted_tables for r in tx.execute(select(x)).mappings()]
    return "\n".join(f"{name}: {row}" for name, row in rows)


def erase(db: Database, live: Live, lead: int, **more: Any) -> privacy.Erased:
    with db.write() as tx:
        return privacy.erase(Turn(tx, live), lead, "operator", NOW, **more)


def exported(db: Database, lead: int) -> dict[str, Any]:
    with db.write() as tx:
        said = export(tx, lead, PROJECT, Processing(recipients=("mx.example: sends",)), NOW, "operator")
    assert said is not None
    return said


# --- export ---


def test_c22_every_planted_marker_appears_in_the_export(db: Database, live: Live) -> None:
    lead = join(db)
    plant(db, lead)
    text = json.dumps(exported(db, lead))
    planted = {
        f"{MARK} {table.name}.{c.name}"
        for table in (*_of_lead(), t.attempts, t.message_links)
        for c in table.columns
        if MARK in str(value(c, table.name, FAR, lead)) and (table.name, c.name) != ("identities", "kind")
    }
    assert len(planted) >= 25
    assert sorted(marker for marker in planted if marker not in text) == []


def test_c22_the_export_tells_wording_rules_recipients_and_subject(db: Database, live: Live) -> None:
    lead = join(db)
    plant(db, lead)
    say(db, lead, "grant", "offers", wording="Yes to offers.")
    said = exported(db, lead)
    assert [e["wording"] for e in said["consent_ledger"]] == ["Yes to offers."]
    assert next(s for s in said["scores"] if s["score"] == "interest")["rules"]["rules"] == [
        {"points": 5.0, "event": "visit"}
    ]
    assert said["about"]["recipients"] == ["mx.example: sends"]
    assert said["messages"][0]["subject"] == f"{MARK} messages"


def test_x15_a_formula_in_a_csv_cell_is_text(db: Database, live: Live) -> None:
    lead = join(db, first_name="=cmd|' /C calc'!A0")
    said = exported(db, lead)
    assert "'=cmd" in tables(said)["lead"]
    assert said["lead"]["first_name"].startswith("=cmd")


# --- erasure ---


def test_c23_no_planted_marker_is_left_in_any_table(db: Database, live: Live) -> None:
    lead = join(db)
    plant(db, lead)
    say(db, lead, "grant", "offers", ip="192.0.2.77", user_agent=f"{MARK} browser", page=f"/f/{MARK}")
    erase(db, live, lead)
    left = dump(db)
    assert MARK not in left
    assert "192.0.2.77" not in left


def test_c23_none_of_forty_markers_is_left_in_file_wal_or_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'nurture.db'}")
    t.metadata.create_all(db.engine)
    with db.write() as tx:
        deploy.deploy(tx, PROJECT, {}, {}, NOW)
        found = load_live(tx, KEYRING, None)
    assert found is not None
    columns = ("first_name", "last_name", "name", "phone", "country", "locale", "source", "owner")
    lead = join(db, **{name: f"{MARK} leads.{name}" for name in columns})
    with db.write() as tx:
        own = {f"field{n}": f"{MARK} attributes.field{n}" for n in range(10)}
        upsert_leads(tx, [LeadCall(lead=lead, attributes=own)], project=PROJECT, keyring=KEYRING, now=NOW)
    plant(db, lead)
    said = {name: f"{MARK} ledger.{name}" for name in ("user_agent", "page")}
    say(db, lead, "grant", "offers", **said)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert len(set(re.findall(rf"{MARK} \w+\.\w+".encode(), written))) >= 40
    erase(db, found, lead)
    scrub(db)
    assert [file.name for file in tmp_path.iterdir() if MARK.encode() in file.read_bytes()] == []
    told = capfd.readouterr()
    assert "lead.erased" in told.out + told.err
    assert MARK not in told.out + told.err
    db.close()


def test_c23_the_address_imported_again_is_still_suppressed(db: Database, live: Live) -> None:
    erase(db, live, join(db))
    again = join(db)
    said = Declaration(again, "offers", "grant", "import", "import", NOW, Proof(method="import"))
    with db.write() as tx:
        change(tx, [said], RULES, NOW)
        may = permit(PROJECT, people(tx, [again])[again], ["offers"], NOW)
    assert may.topics["offers"] != "ok"


def test_c23_another_lead_keeps_everything(db: Database, live: Live) -> None:
    one, other = join(db), join(db, "bo")
    plant(db, other)
    before = exported(db, other)
    erase(db, live, one)
    after = exported(db, other)
    assert {**after, "privacy_actions": 0, "about": 0} == {**before, "privacy_actions": 0, "about": 0}


def test_c04_the_ledger_is_whole_after_an_erasure(db: Database, live: Live) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers", ip="192.0.2.77", evidence={"ticket": MARK})
    erase(db, live, lead)
    with db.read() as tx:
        assert verify(tx, KEYRING) == []


@pytest.mark.parametrize("state", ["pending", "claimed", "sending", "sent", "failed", "unknown", "cancelled"])
@pytest.mark.parametrize("outcome", ["sent", "failed", "pending", "unknown"])
def test_c24_erased_in_any_state_a_mail_names_nobody_and_is_not_sent_later(
    db: Database, live: Live, state: str, outcome: str
) -> None:
    lead = join(db)
    message = _mail(db, lead, state)
    erase(db, live, lead)
    if state in ("claimed", "sending"):
        _answered(db, live, message, outcome)
    with db.read() as tx:
        row = tx.execute(select(t.messages)).mappings().one()
    expected = {"pending": "cancelled", "claimed": "cancelled", "sending": outcome}.get(state, state)
    assert row["state"] == expected
    assert row["lead_id"] is None
    assert MARK not in dump(db)


def test_c24_a_retry_of_an_erased_persons_mail_has_no_address_to_go_to(db: Database, live: Live) -> None:
    lead = join(db)
    message = _mail(db, lead, "sending")
    erase(db, live, lead)
    _answered(db, live, message, "pending")
    with db.read() as tx:
        row = tx.execute(select(t.messages)).mappings().one()
    assert (row["state"], row["recipient"], row["body"], row["lead_id"]) == ("pending", None, None, None)


def _mail(db: Database, lead: int, state: str) -> int:
    row = {
        "lead_id": lead,
        "shard": 1,
        "state": state,
        "fence": 1,
        "due": NOW,
        "released_at": NOW,
        "options": {"subject": f"Hello {MARK}"},
        "body": f"To: {MARK}".encode(),
        "reason": f"550 <{MARK}@example.com> unknown" if state in ("failed", "unknown") else None,
        "template": "hello",
        "lane": "other",
    }
    with db.write() as tx:
        message = int(tx.execute(insert(t.messages).values(**row).returning(t.messages.c.id)).scalar_one())
        attempt = {"message_id": message, "fence": 1, "worker": "w", "started_at": NOW, "text": f"250 {MARK}"}
        tx.execute(insert(t.attempts).values(**attempt))
    return message


def _answered(db: Database, live: Live, message: int, state: str) -> None:
    with db.write() as tx:
        row = tx.execute(select(t.messages)).mappings().one()
        names = {"lead": "lead_id", "enrollment": "enrollment_id"}
        fields = {f: row[names.get(f, f)] for f in Claimed.__dataclass_fields__}
        text = f"<{MARK}@example.com> says so"
        result = Result(message, 1, state, NOW, text, text=text)
        outcomes.settle(Turn(tx, live), {message: Claimed(**fields)}, [result])


def test_c31_an_erasure_leaves_a_row_without_the_person(db: Database, live: Live) -> None:
    lead = join(db)
    erase(db, live, lead, reason="ticket 12")
    with db.read() as tx:
        [row] = tx.execute(select(t.privacy_actions)).mappings()
    assert (row["what"], row["actor"], row["reason"]) == ("erase", "operator", "ticket 12")


def test_c31_a_reason_with_an_address_is_refused(db: Database, live: Live) -> None:
    lead = join(db)
    with pytest.raises(UserError, match="must not hold an address"):
        erase(db, live, lead, reason="anna@example.com asked")
    assert MARK in dump(db)


# --- restriction ---


def test_c28_a_restricted_lead_is_in_the_export_and_in_no_mail(db: Database, live: Live) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers")
    with db.write() as tx:
        privacy.restrict(tx, lead, True, "operator", NOW, None)
        may = permit(PROJECT, people(tx, [lead])[lead], ["offers"], NOW)
    assert (may.service, may.topics["offers"]) == ("suppressed", "suppressed")
    assert exported(db, lead)["lead"]["restricted"] is True


def test_c28_a_restriction_can_be_lifted(db: Database, live: Live) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers")
    with db.write() as tx:
        privacy.restrict(tx, lead, True, "operator", NOW, None)
        assert privacy.restrict(tx, lead, False, "operator", NOW, None)
        assert permit(PROJECT, people(tx, [lead])[lead], ["offers"], NOW).topics["offers"] == "ok"


def test_c28_two_leads_that_prove_to_be_one_keep_the_stricter_rights(db: Database, live: Live) -> None:
    one, other = join(db), join(db, "bo")
    with db.write() as tx:
        rights.set_unprofiled(tx, other, True)
        rights.set_pause(tx, other, NOW + timedelta(days=30))
        call = LeadCall(external=f"anna-{MARK}", previous=f"bo-{MARK}")
        upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=NOW)
        [row] = tx.execute(select(t.leads)).mappings()
    assert (row["id"] in (one, other), row["unprofiled"], row["paused_until"]) == (True, True, NOW + timedelta(days=30))


# --- the journal ---


@pytest.fixture
def journal(db: Database, tmp_path: Path) -> Iterator[SuppressionJournal]:
    found = SuppressionJournal(tmp_path / "beside" / "suppressions.journal")
    db.journal = found
    yield found
    db.journal = None


def snapshot(db: Database) -> dict[str, list[dict[str, Any]]]:
    with db.read() as tx:
        return {x.name: [dict(r) for r in tx.execute(select(x)).mappings()] for x in t.metadata.sorted_tables}


def restore(db: Database, backup: dict[str, list[dict[str, Any]]]) -> None:
    with db.write() as tx:
        for table in t.metadata.sorted_tables:
            tx.execute(table.delete())
            if backup[table.name]:
                tx.execute(insert(table), backup[table.name])


def test_c25_after_a_restore_who_left_is_not_written_to(db: Database, live: Live, journal: SuppressionJournal) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers")
    backup = snapshot(db)
    say(db, lead, "withdraw", "offers")
    restore(db, backup)
    assert replay(db, journal, live, NOW).suppressed == 1
    with db.read() as tx:
        assert permit(PROJECT, people(tx, [lead])[lead], ["offers"], NOW).topics["offers"] == "suppressed"


def test_c25_after_a_restore_who_was_erased_is_erased_again(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = join(db)
    backup = snapshot(db)
    erase(db, live, lead)
    restore(db, backup)
    assert replay(db, journal, live, NOW).erased == 1
    assert MARK not in dump(db)


def complain(db: Database) -> None:
    with db.write() as tx:
        suppressions.suppress(tx, [("a" * 64, "marketing", "complaint of 2026-03-10")], NOW)


def leave(db: Database) -> None:
    with db.write() as tx:
        suppressions.suppress(tx, [("a" * 64, "marketing", "withdrew")], NOW)


def standing(db: Database) -> str:
    with db.read() as tx:
        return suppressions.scopes(tx, ["a" * 64])["a" * 64]["marketing"]


def test_c17_who_complains_after_leaving_has_complained(db: Database) -> None:
    leave(db)
    complain(db)
    assert standing(db) == "complaint of 2026-03-10"


def test_c17_leaving_after_a_complaint_does_not_weaken_it(db: Database) -> None:
    complain(db)
    leave(db)
    assert standing(db) == "complaint of 2026-03-10"


def test_c25_a_complaint_is_known_after_a_restore_to_when_somebody_had_only_left(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    leave(db)
    backup = snapshot(db)
    complain(db)
    leave(db)
    restore(db, backup)
    assert replay(db, journal, live, NOW).suppressed == 1
    assert standing(db) == "complaint of 2026-03-10"


def test_c25_another_person_under_the_same_number_is_left_alone(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = join(db)
    erase(db, live, lead)
    later = join(db, "bo")
    with db.write() as tx:
        tx.execute(update(t.leads).where(t.leads.c.id == later).values(id=lead, created_at=NOW + timedelta(days=1)))
    assert replay(db, journal, live, NOW).erased == 0


def test_c25_who_agreed_again_is_not_closed_by_the_journal(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = join(db)
    for action in ("grant", "withdraw", "grant"):
        say(db, lead, action, "offers")
    assert replay(db, journal, live, NOW).suppressed == 0
    with db.read() as tx:
        assert permit(PROJECT, people(tx, [lead])[lead], ["offers"], NOW).topics["offers"] == "ok"


def test_c25_the_journal_holds_keyed_hashes_and_no_address(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = join(db)
    say(db, lead, "withdraw", "offers")
    erase(db, live, lead)
    assert MARK not in journal.path.read_text()
    assert journal.path.stat().st_mode & 0o077 == 0


def test_c25_what_a_journal_never_heard_of_is_added_to_it(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    db.journal = None
    with db.write() as tx:
        suppressions.suppress(tx, [("a" * 64, "all", "bounce")], NOW)
    replay(db, journal, live, NOW)
    assert list(journal.read().suppressed) == [("a" * 64, "all")]


def test_c25_a_change_that_came_to_nothing_lifts_nothing(db: Database, live: Live, journal: SuppressionJournal) -> None:
    lead = join(db)
    say(db, lead, "withdraw", "offers")
    said = Declaration(lead, "offers", "grant", "person", "person", NOW, Proof(method="page"))
    with pytest.raises(ZeroDivisionError):
        _breaks_off(db, said)
    assert len(journal.read().suppressed) == 1


def test_c25_a_no_holds_though_the_journal_cannot_be_written(db: Database, live: Live, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    db.journal = SuppressionJournal(tmp_path / "in the way" / "suppressions.journal")
    lead = join(db)
    say(db, lead, "withdraw", "offers")
    with pytest.raises(StoreUnavailable):
        replay(db, db.journal, live, NOW)
    db.journal = None
    with db.read() as tx:
        assert people(tx, [lead])[lead].consents["offers"].state == "withdrawn"


def _breaks_off(db: Database, said: Declaration) -> None:
    with db.write() as tx:
        change(tx, [said], RULES, NOW)
        raise ZeroDivisionError


def test_c25_half_a_last_line_is_passed_over(db: Database, live: Live, journal: SuppressionJournal) -> None:
    lead = join(db)
    say(db, lead, "withdraw", "offers")
    with journal.path.open("ab") as file:
        file.write(b'["no","ab')
    assert (len(journal.read().suppressed), journal.read().unreadable) == (1, 1)


# --- retention ---

LIMITS = {kind: Duration(days=30) for kind in retention.KINDS if kind not in ("leads", "pending")}


def keep(db: Database, live: Live, limits: dict[str, Duration], at: datetime, *, dry: bool) -> dict[str, int]:
    found = retention.run(db, live, KEYRING, limits, "UTC", at, dry=dry)
    return {k.kind: k.count for k in found}


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_c26_a_dry_run_counts_what_a_run_takes_and_nothing_else_goes(db: Database, live: Live, kind: str) -> None:
    lead = join(db)
    plant(db, lead)
    say(db, lead, "grant", "offers", ip="192.0.2.77", user_agent="Firefox")
    with db.write() as tx:
        tx.execute(update(t.events).values(seq=1))
        imported = {"kind": "leads", "fingerprint": "f", "file": "f.csv", "started_at": NOW, "ended_at": NOW}
        tx.execute(insert(t.imports).values(**imported))
        rights.note(tx, "asked data", "operator", NOW, lead=lead)
    limits, later = {kind: LIMITS[kind]}, NOW + timedelta(days=31)
    before = snapshot(db)
    counted = keep(db, live, limits, later, dry=True)
    assert snapshot(db) == before
    taken = keep(db, live, limits, later, dry=False)
    assert counted == taken
    assert taken[kind] > 0
    touched = {"visits": "consent_ledger", "requests": "privacy_actions"}.get(kind, kind)
    others = {touched, "hits", "privacy_actions"} if kind == "events" else {touched, "privacy_actions"}
    after = snapshot(db)
    assert {n: rows for n, rows in after.items() if n not in others} == {
        n: rows for n, rows in before.items() if n not in others
    }
    assert keep(db, live, limits, later, dry=True) == {kind: 0}


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_c26_what_is_young_stays(db: Database, live: Live, kind: str) -> None:
    lead = join(db)
    plant(db, lead)
    say(db, lead, "grant", "offers", ip="192.0.2.77")
    with db.write() as tx:
        tx.execute(update(t.events).values(seq=1))
    assert keep(db, live, {kind: LIMITS[kind]}, NOW + timedelta(days=29), dry=False) == {kind: 0}


def test_c26_forgotten_visits_leave_the_proof_whole(db: Database, live: Live) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers", ip="192.0.2.77", user_agent="Firefox")
    keep(db, live, {"visits": Duration(days=30)}, NOW + timedelta(days=31), dry=False)
    assert "192.0.2.77" not in dump(db)
    with db.read() as tx:
        assert verify(tx, KEYRING) == []


def test_c26_who_never_confirmed_goes_after_thirty_days_and_may_come_again(db: Database, live: Live) -> None:
    with db.write() as tx:
        call = LeadCall(columns={"email": f"cy.{MARK}@example.com"})
        [who] = upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=NOW)
    say(db, who.lead, "grant", "news")
    with db.write() as tx:
        tx.execute(update(t.messages).values(state="sent"))
    later, limits = NOW + timedelta(days=31), retention.retention_of({})
    assert keep(db, live, limits, NOW + timedelta(days=29), dry=True)["pending"] == 0
    assert keep(db, live, limits, later, dry=True)["pending"] == 1
    assert keep(db, live, limits, later, dry=False)["pending"] == 1
    assert MARK not in dump(db)
    with db.read() as tx:
        assert suppressions.all_rows(tx) == {}


def test_c26_who_confirmed_stays(db: Database, live: Live) -> None:
    lead = join(db)
    say(db, lead, "grant", "offers")
    assert keep(db, live, retention.retention_of({}), NOW + timedelta(days=400), dry=True)["pending"] == 0


def test_c26_network_addresses_go_after_six_months_where_nothing_is_written(db: Database, live: Live) -> None:
    say(db, join(db), "grant", "offers", ip="192.0.2.77")
    kept = retention.retention_of({})
    assert keep(db, live, kept, NOW + timedelta(days=183), dry=False)["visits"] == 0
    assert keep(db, live, kept, NOW + timedelta(days=185), dry=False)["visits"] == 1
    assert "192.0.2.77" not in dump(db)


def tonight(db: Database, live: Live, at: datetime) -> bool:
    return retention.nightly(db, live, KEYRING, {"visits": Duration(days=30)}, at)


def test_c26_retention_runs_once_a_night_whoever_asks(db: Database, live: Live) -> None:
    """The night is over at three: 2 March 23:00 and 3 March 02:59 are one, 03:00 is the next."""
    evening = NOW.replace(hour=23)
    with ThreadPoolExecutor(4) as workers:
        ran = list(workers.map(lambda _: tonight(db, live, evening), range(4)))
    assert sorted(ran) == [False, False, False, True]
    later = [timedelta(hours=3, minutes=59), timedelta(hours=4)]
    assert [tonight(db, live, evening + more) for more in later] == [False, True]


def test_c26_the_nightly_run_takes_what_is_too_old(db: Database, live: Live) -> None:
    say(db, join(db), "grant", "offers", ip="192.0.2.77")
    tonight(db, live, NOW + timedelta(days=31))
    assert "192.0.2.77" not in dump(db)


def test_c26_a_run_that_is_to_stop_takes_no_further_page(db: Database, live: Live) -> None:
    say(db, join(db), "grant", "offers", ip="192.0.2.77")
    retention.nightly(db, live, KEYRING, {"visits": Duration(days=30)}, NOW + timedelta(days=31), lambda: True)
    assert "192.0.2.77" in dump(db)


def test_c23_a_night_that_did_not_come_to_write_the_file_anew_leaves_it_to_the_next(tmp_path: Path, live: Live) -> None:
    db = open_database(f"sqlite:///{tmp_path}/nurture.db")
    t.metadata.create_all(db.engine)
    found, lead = live, join(db)
    with db.write() as tx:
        for n in range(200):
            rows = {"lead_id": lead, "shard": 0, "name": "seen", "at": NOW, "accepted_at": NOW, "seq": n}
            tx.execute(t.events.insert().values(**rows, fact=True, source="api", properties={"text": "x" * 500}))
    erase(db, found, lead)
    retention.nightly(db, found, KEYRING, {}, NOW + timedelta(hours=1), lambda: True)
    assert free_pages(db) > 0
    tonight(db, found, NOW + timedelta(days=1))
    assert free_pages(db) == 0
    db.close()


def free_pages(db: Database) -> int:
    """Pages in which something stood that was deleted."""
    with db.read() as tx:
        return int(tx.exec_driver_sql("PRAGMA freelist_count").scalar() or 0)


def test_c26_people_out_of_touch_go_and_their_rows_are_not_counted_twice(db: Database, live: Live) -> None:
    lead = join(db)
    plant(db, lead)
    with db.write() as tx:
        tx.execute(update(t.events).values(seq=1))
        tx.execute(update(t.deals).values(outcome="won"))
    limits = {"leads": Duration(months=36), **LIMITS}
    later = NOW + timedelta(days=1200)
    counted = keep(db, live, limits, later, dry=True)
    assert counted["leads"] == 1
    assert keep(db, live, limits, later, dry=False) == counted
    assert MARK not in dump(db)

"""Imports on both databases: what they write, what they leave alone, and that twice is once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from nurture.campaign.mapping import read_mapping
from nurture.campaign.problems import ProjectProblems
from nurture.campaign.project import DealStage, Funnel, Pipeline, Project, Stage, Topic
from nurture.engine import imports as imports_module
from nurture.engine.consent import ConsentRules, change
from nurture.engine.imports import Order, Summary, run_import
from nurture.lead.consent import Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.identities import find_lead

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PROJECT = Project(
    zone="Europe/Paris",
    funnels={"main": Funnel("main", (Stage("visitor"), Stage("mql"), Stage("customer")))},
    pipelines={"sales": Pipeline("sales", (DealStage("demo"), DealStage("closing")))},
    topics={"offers": Topic("offers"), "table": Topic("table", basis="soft_opt_in", similar_to="tea")},
    attributes={"seats": "number"},
    events={"order": {"total": "number", "items": [{"sku": "text"}]}},
)
RULES = ConsentRules(PROJECT, Keyring(["a secret of the tests"]))
LEADS = """
lead: {email: "{{ row.mail }}", external_id: "{{ row.id }}", source: "{{ row.origin | default('') }}"}
attributes: {seats: "{{ row.seats | default('') }}"}
"""
STAGED = LEADS + 'stage: {name: "{{ row.stage }}", since: "{{ row.since }}"}\n'
CONSENTED = LEADS + (
    'consent: {topic: offers, basis: consent, at: "{{ row.at }}", source: form, wording: v1, '
    "state: \"{{ row.state | default('granted') }}\"}\n"
)
EVENTS = 'event: {lead: "{{ row.lead }}", name: order, at: "{{ row.at }}", properties: {total: "{{ row.total }}"}}'
DEALS = """
deal: {lead: "{{ row.lead }}", id: "{{ row.id }}", pipeline: sales, closed_at: "{{ row.closed }}",
  outcome: "{{ row.outcome }}", amount: "{{ row.amount | default('') }}", stage: "{{ row.stage | default('') }}"}
"""

Import = Callable[..., Summary]


@pytest.fixture
def bring(db: Database, tmp_path: Path) -> Import:
    """Imports lines of CSV with a mapping's text; further arguments are those of Order."""

    def run(kind: Any, mapping: str, *lines: str, name: str = "file.csv", **more: Any) -> Summary:
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        read, problems = read_mapping("map.yaml", mapping)
        assert read is not None, [str(p) for p in problems]
        return run_import(db, Order(kind, path, read, **{"rules": RULES, "now": NOW, **more}))

    return run


def rows(db: Database, table: Any, *columns: str) -> list[Any]:
    with db.read() as tx:
        found = tx.execute(select(*(table.c[c] for c in columns)).order_by(*table.primary_key.columns)).all()
    return [row[0] if len(columns) == 1 else tuple(row) for row in found]


def everything(db: Database) -> dict[str, list[Any]]:
    """Every table but the bookkeeping of imports."""
    with db.read() as tx:
        return {
            table.name: [tuple(r) for r in tx.execute(select(table).order_by(*table.primary_key.columns))]
            for table in t.metadata.sorted_tables
            if table.name != "imports"
        }


def lead(db: Database, ref: str) -> int:
    with db.read() as tx:
        found = find_lead(tx, ref)
    assert found is not None
    return found


# --- leads ---


def test_a_row_becomes_a_lead_with_typed_attributes(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail,origin,seats", "7,Anna@Example.com,web,12")
    assert rows(db, t.leads, "external_id", "email", "source", "attributes") == [
        ("7", "Anna@example.com", "web", {"seats": 12})
    ]


def test_a_second_run_changes_nothing(db: Database, bring: Import) -> None:
    lines = ("id,mail,stage,since", "7,anna@example.com,mql,2026-01-01", "8,bo@example.com,visitor,2026-01-02")
    bring("leads", STAGED, *lines)
    before = everything(db)
    summary = bring("leads", STAGED, *lines)
    assert (summary.unchanged, everything(db)) == (2, before)


def test_an_empty_cell_does_not_take_a_value_away(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail,seats", "7,anna@example.com,12")
    bring("leads", LEADS, "id,mail,seats", "7,anna@example.com,", name="later.csv")
    assert rows(db, t.leads, "attributes") == [{"seats": 12}]


def test_a_row_with_a_bad_address_is_rejected_by_line_and_repeats_nothing(bring: Import, tmp_path: Path) -> None:
    summary = bring("leads", LEADS, "id,mail", "7,anna at example", "8,bo@example.com")
    text = (tmp_path / "file.csv.rejects.csv").read_text()
    assert (summary.rejected, summary.new, text.splitlines()[1][:2]) == (1, 1, "2,")
    assert "anna" not in text


def test_a_record_with_another_number_of_fields_is_rejected(bring: Import) -> None:
    summary = bring("leads", LEADS, "id,mail", "7,anna@example.com,extra", "8,bo@example.com")
    assert (summary.rows, summary.usable, summary.rejected) == (2, 1, 1)


def test_an_import_without_a_usable_row_says_so(bring: Import) -> None:
    assert bring("leads", LEADS, "id,mail", "7,anna").nothing_usable


def test_a_rejects_file_of_an_earlier_run_does_not_stay(bring: Import, tmp_path: Path) -> None:
    bring("leads", LEADS, "id,mail", "7,anna")
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    assert not (tmp_path / "file.csv.rejects.csv").exists()


def test_a_mapping_that_does_not_fit_the_file_writes_nothing(db: Database, bring: Import) -> None:
    with pytest.raises(ProjectProblems, match="no column 'mail'"):
        bring("leads", LEADS, "id,e_mail", "7,anna@example.com")
    assert rows(db, t.imports, "id") == []


def test_a_dry_run_counts_and_writes_nothing(db: Database, bring: Import, tmp_path: Path) -> None:
    summary = bring("leads", LEADS, "id,mail", "7,anna@example.com", "8,bo", dry_run=True)
    assert (summary.usable, summary.rejected) == (1, 1)
    assert rows(db, t.leads, "id") == rows(db, t.imports, "id") == []
    assert not (tmp_path / "file.csv.rejects.csv").exists()


def test_json_lines_and_gzip_are_read_too(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"id": 7, "mail": "anna@example.com"}).encode()))
    read, _ = read_mapping("map.yaml", LEADS)
    assert read is not None
    run_import(db, Order("leads", path, read, RULES, NOW))
    assert rows(db, t.leads, "external_id") == ["7"]


def test_a_lead_on_many_rows_is_new_once(bring: Import) -> None:
    summary = bring("leads", CONSENTED, "id,mail,at", *["7,anna@example.com,2026-01-01"] * 3)
    assert (summary.new, summary.changed, summary.unchanged) == (1, 0, 2)


# --- stages ---


def test_s32_an_imported_stage_has_its_own_date_in_the_projects_zone(db: Database, bring: Import) -> None:
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2026-01-01")
    at = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    assert rows(db, t.lead_stages, "funnel", "stage", "since") == [("main", "mql", at)]
    assert rows(db, t.stage_moves, "to_stage", "at", "cause") == [("mql", at, "import")]


def test_s13_an_imported_stage_is_no_entering(db: Database, bring: Import) -> None:
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2026-01-01")
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,customer,2026-02-01", name="later.csv")
    assert set(rows(db, t.events, "fact")) == {True}


def test_with_trigger_an_imported_stage_is_an_entering_of_now(db: Database, bring: Import) -> None:
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2026-01-01", trigger=True)
    assert ("stage.entered", False, NOW) in rows(db, t.events, "name", "fact", "at")


def test_an_older_stage_is_history_and_moves_nobody_back(db: Database, bring: Import) -> None:
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,customer,2026-02-01")
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2026-01-01", name="older.csv")
    assert rows(db, t.lead_stages, "stage") == ["customer"]
    assert sorted(rows(db, t.stage_moves, "to_stage")) == ["customer", "mql"]


def test_of_two_stages_of_one_file_the_later_date_stands(db: Database, bring: Import) -> None:
    lines = ("7,anna@example.com,customer,2026-02-01", "7,anna@example.com,mql,2026-01-01")
    bring("leads", STAGED, "id,mail,stage,since", *lines)
    assert rows(db, t.lead_stages, "stage") == ["customer"]
    assert rows(db, t.stage_moves, "from_stage", "to_stage") == [(None, "mql"), ("mql", "customer")]


def test_a_stage_in_the_future_is_rejected(bring: Import) -> None:
    assert bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2027-01-01").rejected == 1


def test_a_name_to_enroll_is_asked_for_each_lead_once(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com", "7,anna@example.com", enroll="welcome")
    asked = [p for name, p in rows(db, t.events, "name", "properties") if name == "enroll.requested"]
    assert asked == [{"campaign": "welcome"}]


# --- consent ---


def test_imported_consent_is_in_the_ledger_as_given(db: Database, bring: Import) -> None:
    bring("leads", CONSENTED, "id,mail,at", "7,anna@example.com,2026-01-01")
    assert rows(db, t.consents, "topic", "state", "basis") == [("offers", "granted", "consent")]
    columns = ("event", "method", "wording", "source", "occurred_at")
    assert rows(db, t.consent_ledger, *columns) == [
        ("imported", "import", "v1", "form", datetime(2025, 12, 31, 23, 0, tzinfo=UTC))
    ]


def test_a_row_may_withdraw(db: Database, bring: Import) -> None:
    bring("leads", CONSENTED, "id,mail,at,state", "7,anna@example.com,2026-01-01,withdrawn")
    assert rows(db, t.consents, "state") == ["withdrawn"]
    assert rows(db, t.suppressions, "scope") == ["topic:offers"]


@pytest.mark.parametrize("action", ["withdraw", "object"])
def test_c13_an_import_never_brings_back_who_left(db: Database, bring: Import, action: Any) -> None:
    bring("leads", CONSENTED, "id,mail,at", "7,anna@example.com,2026-01-01")
    said = Declaration(lead(db, "7"), "offers", action, "person", "person", NOW, Proof(method="page"), "consent")
    with db.write() as tx:
        change(tx, [said], RULES, NOW)
    before = rows(db, t.consents, "state"), rows(db, t.consent_ledger, "hash"), rows(db, t.suppressions, "scope")
    summary = bring("leads", CONSENTED, "id,mail,at", "7,anna@example.com,2026-03-10", name="again.csv")
    after = rows(db, t.consents, "state"), rows(db, t.consent_ledger, "hash"), rows(db, t.suppressions, "scope")
    assert (after, summary.noted) == (before, 1)


def test_c13_an_import_does_not_lift_a_suppression(db: Database, bring: Import) -> None:
    with db.write() as tx:
        digest = RULES.keyring.address_hash("anna@example.com")
        tx.execute(t.suppressions.insert().values(address_hash=digest, scope="all", reason="bounce", at=NOW))
    bring("leads", CONSENTED, "id,mail,at", "7,anna@example.com,2026-01-01")
    assert rows(db, t.suppressions, "scope") == ["all"]
    assert rows(db, t.consents, "state") == []


SOLD = LEADS + (
    'consent: {topic: table, basis: soft_opt_in, at: "{{ row.at }}", source: till, sale: "{{ row.order }}", '
    'sold_at: "{{ row.at }}", objection_offered: "{{ row.offered }}"}\n'
)


def test_c10_an_imported_sale_is_kept_beside_the_consent(db: Database, bring: Import) -> None:
    bring("leads", SOLD, "id,mail,at,order,offered", "7,anna@example.com,2026-01-01,A-1,Yes")
    columns = ("basis", "sale_kind", "sale_reference", "sold_at", "objection_offered")
    assert rows(db, t.consents, *columns) == [
        ("soft_opt_in", "sale", "A-1", datetime(2025, 12, 31, 23, 0, tzinfo=UTC), True)
    ]


@pytest.mark.parametrize("row", ["2026-01-01,,yes", "2026-01-01,A-1,no", "2026-01-01,A-1,"])
def test_c10_a_row_that_lacks_something_of_its_sale_is_noted(bring: Import, row: str) -> None:
    assert bring("leads", SOLD, "id,mail,at,order,offered", f"7,anna@example.com,{row}").noted == 1


# --- events ---


def order_line(who: str, at: str, total: str = "1") -> str:
    return f"{who},{at},{total}"


def test_s02_imported_events_are_facts_in_the_order_of_their_instants(db: Database, bring: Import) -> None:
    lines = [order_line("7", "2026-01-03", "3"), order_line("8", "2026-01-01", "1"), order_line("7", "2026-01-02", "2")]
    bring("events", EVENTS, "lead,at,total", *lines)
    orders = [(p, fact) for name, p, fact in rows(db, t.events, "name", "properties", "fact") if name == "order"]
    assert orders == [({"total": 1}, True), ({"total": 2}, True), ({"total": 3}, True)]


def test_equal_instants_keep_the_order_of_the_file(db: Database, bring: Import) -> None:
    bring("events", EVENTS, "lead,at,total", *(order_line("7", "2026-01-01", str(n)) for n in (3, 1, 2)))
    totals = [p["total"] for name, p in rows(db, t.events, "name", "properties") if name == "order"]
    assert totals == [3, 1, 2]


def test_order_holds_over_batches_and_runs_on_disk(
    db: Database, bring: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports_module, "BATCH", 3)
    monkeypatch.setattr("nurture.engine.spool.Spool.__init__.__defaults__", (4,))
    days = [9, 2, 7, 4, 1, 8, 3, 6, 5]
    bring("events", EVENTS, "lead,at,total", *(order_line("7", f"2026-01-0{d}", str(d)) for d in days))
    totals = [p["total"] for name, p in rows(db, t.events, "name", "properties") if name == "order"]
    assert totals == sorted(days)


def test_events_twice_are_stored_once(db: Database, bring: Import) -> None:
    line = order_line("7", "2026-01-01")
    bring("events", EVENTS, "lead,at,total", line)
    before = everything(db)
    assert bring("events", EVENTS, "lead,at,total", line).unchanged == 1
    assert everything(db) == before


def test_two_equal_rows_of_one_file_are_two_events(db: Database, bring: Import) -> None:
    line = order_line("7", "2026-01-01")
    assert bring("events", EVENTS, "lead,at,total", line, line).new == 2


def test_overlapping_files_share_their_events(bring: Import) -> None:
    a, b, c = (order_line("7", f"2026-01-0{n}") for n in (1, 2, 3))
    bring("events", EVENTS, "lead,at,total", a, b)
    assert bring("events", EVENTS, "lead,at,total", b, c, name="next.csv").new == 1


def test_an_id_used_for_another_event_is_rejected(bring: Import) -> None:
    mapping = EVENTS.replace("name: order", 'name: order, id: "{{ row.id }}"')
    summary = bring("events", mapping, "id,lead,at,total", "1,7,2026-01-01,1", "1,8,2026-01-01,1")
    assert (summary.new, summary.rejected) == (1, 1)


def test_an_event_name_with_a_dot_is_rejected(bring: Import) -> None:
    mapping = EVENTS.replace("name: order", "name: mail.clicked")
    assert bring("events", mapping, "lead,at,total", order_line("7", "2026-01-01")).rejected == 1


def test_an_event_in_the_future_is_rejected(bring: Import) -> None:
    assert bring("events", EVENTS, "lead,at,total", order_line("7", "2026-03-11")).rejected == 1


def test_undeclared_properties_are_kept_and_counted(db: Database, bring: Import) -> None:
    mapping = EVENTS.replace("properties: {", 'properties: {color: "{{ row.color }}", ')
    summary = bring("events", mapping, "lead,at,total,color", "7,2026-01-01,1,red")
    stored = [p for name, p in rows(db, t.events, "name", "properties") if name == "order"]
    assert (summary.undeclared, stored) == ({"order.color": 1}, [{"color": "red", "total": 1}])


def test_a_list_property_comes_as_json(db: Database, bring: Import) -> None:
    mapping = EVENTS.replace("properties: {", "properties: {items: '{{ row.items }}', ")
    bring("events", mapping, "lead;at;total;items", '7;2026-01-01;1;"[{""sku"": 7}]"')
    stored = [p for name, p in rows(db, t.events, "name", "properties") if name == "order"]
    assert stored == [{"items": [{"sku": "7"}], "total": 1}]


def test_with_trigger_events_are_no_facts(db: Database, bring: Import) -> None:
    bring("events", EVENTS, "lead,at,total", order_line("7", "2026-01-01"), trigger=True)
    assert set(rows(db, t.events, "fact")) == {False}


def test_an_import_that_was_broken_off_goes_on(db: Database, bring: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_module, "BATCH", 2)
    lines = [order_line("7", f"2026-01-0{n}") for n in range(1, 8)]
    real, calls = imports_module.import_batches.write_events, []

    def breaks(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(imports_module.import_batches, "write_events", breaks)
    with pytest.raises(KeyboardInterrupt):
        bring("events", EVENTS, "lead,at,total", *lines)
    summary = bring("events", EVENTS, "lead,at,total", *lines)
    stored = [name for name in rows(db, t.events, "name") if name == "order"]
    assert (summary.resumed_at, summary.rows, len(stored)) == (4, 7, 7)


# --- deals ---

DEAL_HEADER = "lead,id,closed,outcome,amount,stage"


def test_a_deal_belongs_to_a_known_lead(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    bring("deals", DEALS, DEAL_HEADER, "7,d1,2026-02-01,won,1200.50,", "anna@example.com,d2,,open,,demo")
    assert rows(db, t.deals, "external_id", "outcome", "amount", "currency", "stage") == [
        ("d1", "won", 1200.5, "EUR", None),
        ("d2", "open", None, None, "demo"),
    ]


def test_a_deal_of_an_unknown_lead_is_rejected(bring: Import) -> None:
    assert bring("deals", DEALS, DEAL_HEADER, "9,d1,2026-02-01,won,,").rejected == 1


def test_a_dry_run_of_deals_knows_which_leads_are_missing(bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    lines = ("7,d1,2026-02-01,won,,", "9,d2,2026-02-01,won,,")
    summary = bring("deals", DEALS, DEAL_HEADER, *lines, name="deals.csv", dry_run=True)
    assert (summary.rows, summary.usable, summary.rejected) == (2, 1, 1)


def test_deals_before_their_leads_come_in_with_a_second_run(bring: Import) -> None:
    line = "7,d1,2026-02-01,won,,"
    bring("deals", DEALS, DEAL_HEADER, line, name="deals.csv")
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    assert bring("deals", DEALS, DEAL_HEADER, line, name="deals.csv").new == 1


def test_a_deal_moves_on_with_a_later_file_and_stays_one_deal(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    bring("deals", DEALS, DEAL_HEADER, "7,d1,,open,,demo")
    assert bring("deals", DEALS, DEAL_HEADER, "7,d1,2026-02-01,won,,", name="later.csv").changed == 1
    assert rows(db, t.deals, "outcome", "stage") == [("won", "demo")]


def test_a_closed_deal_is_not_opened_again_by_an_old_file(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    bring("deals", DEALS, DEAL_HEADER, "7,d1,2026-02-01,won,,")
    bring("deals", DEALS, DEAL_HEADER, "7,d1,,open,,demo", name="old.csv")
    assert rows(db, t.deals, "outcome", "stage") == [("won", None)]


def test_deals_twice_change_nothing(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    no_id = DEALS.replace('id: "{{ row.id }}", ', "")
    for _ in range(2):
        summary = bring("deals", no_id, DEAL_HEADER, "7,x,2026-02-01,won,,", "7,x,2026-02-01,won,,", name="deals.csv")
    assert (summary.unchanged, len(rows(db, t.deals, "id"))) == (2, 2)


@pytest.mark.parametrize("line", ["7,d1,,won,,", "7,d1,2026-02-01,gone,,", "7,d1,,open,a lot,", "7,d1,,open,,dmeo"])
def test_a_deal_that_makes_no_sense_is_rejected(bring: Import, line: str) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com")
    assert bring("deals", DEALS, DEAL_HEADER, line, name="deals.csv").rejected == 1


def test_a_deal_won_before_the_first_contact_is_taken_and_named(db: Database, bring: Import) -> None:
    bring("leads", STAGED, "id,mail,stage,since", "7,anna@example.com,mql,2026-02-02")
    summary = bring("deals", DEALS, DEAL_HEADER, "7,d1,2026-02-01,won,,", name="deals.csv")
    assert (summary.new, summary.odd) == (1, ["7"])


def test_an_import_counts_in_its_own_row(db: Database, bring: Import) -> None:
    bring("leads", LEADS, "id,mail", "7,anna@example.com", "8,bo")
    assert rows(db, t.imports, "kind", "rows", "rejected", "ended_at") == [("leads", 1, 1, NOW)]
    with db.read() as tx:
        assert tx.execute(select(func.count()).select_from(t.imports)).scalar() == 1

"""`nurture enroll`, `leads move|tag|assign`, `why`, `consent`, `outbox`, `keys`, as people at work run them."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.commands import Shop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def live(shop: Shop) -> Shop:
    """Two leads, everything deployed."""
    shop.deploy()
    shop.people("ann", "bob")
    shop.work()
    return shop


def test_a_lead_is_enrolled_by_hand_and_gets_its_mail(live: Shop) -> None:
    assert live.run("enroll", "hello", "ann@example.com") == 0
    live.work()
    assert [(m["address"], m["template"], m["state"]) for m in live.json("outbox", "list")] == [
        ("ann@example.com", "hello", "sent")
    ]


def test_a_campaign_with_a_key_asks_for_it(live: Shop) -> None:
    assert live.run("enroll", "cart", "ann") == 1
    assert "--entry cart_id=VALUE" in live.err
    assert live.run("enroll", "cart", "ann", "--entry", "cart_id=c7") == 0


def test_why_tells_versions_causes_and_what_became_of_the_mail(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    told = live.json("why", "ann", "--campaign", "hello")
    assert [(row["what"], row["detail"]) for row in told] == [
        ("entered", None),
        ("released", "hello"),
        ("waiting", None),
        ("stands", None),
    ]
    assert told[1]["message"]["state"] == "sent"
    assert all(row["version"] for row in told)


def test_why_not_names_the_reason_in_words(live: Shop) -> None:
    for _ in range(2):
        live.run("enroll", "hello", "ann")
        live.work()
    assert live.run("why", "ann") == 0
    assert "did not enter: already in it\n" in live.out
    assert "an enrollment of this lead, with the same key, was still open\n" in live.out


def test_why_of_a_mail_that_was_refused(shop: Shop) -> None:
    shop.deploy()
    shop.people("cy", consents=False)
    shop.run("enroll", "hello", "cy")
    shop.work()
    assert [row["reason"] for row in shop.json("why", "cy", "--mail", "hello")] == ["no consent"]


MAPPING = """\
lead: {email: "{{ row.email }}", external_id: "{{ row.id }}", country: "{{ row.country }}"}
consent: {topic: offers, basis: soft_opt_in, at: 2026-01-01, source: till, wording: w,
  sale: "{{ row.sale }}", account: "{{ row.account }}", sold_at: "{{ row.day }}", objection_offered: "{{ row.asked }}"}
"""
SOFT = ("basis: soft_opt_in", "similar_to: tea")


@pytest.mark.parametrize(
    ("row", "topic", "reason"),
    [
        ("FR,A-1,,2026-01-01,yes", SOFT, None),
        ("FR,,u-7,2026-01-01,yes", SOFT, None),
        ("FR,,,2026-01-01,yes", SOFT, "soft opt-in without a sale"),
        ("FR,A-1,,,yes", SOFT, "soft opt-in without the sale's date"),
        ("FR,A-1,,2026-01-01,no", SOFT, "soft opt-in without a chance to object"),
        ("FR,A-1,,2026-01-01,yes", SOFT[:1], None),
        ("FR,A-1,,2026-01-01,yes", SOFT[1:], None),
        ("FR,A-1,,2026-01-01,yes", ("basis: consent",), "soft opt-in without similar products"),
        ("CH,,u-7,2026-01-01,yes", SOFT, "jurisdiction"),
    ],
)
def test_c10_why_names_what_a_soft_opt_in_lacks(
    shop: Shop, row: str, topic: tuple[str, ...], reason: str | None
) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace("double_opt_in: false", ", ".join(topic)))
    shop.deploy()
    shop.write("map.yaml", MAPPING)
    file = shop.write("leads.csv", f"email,id,country,sale,account,day,asked\ncy@example.com,cy,{row}\n")
    assert shop.run("import", "leads", file, "--mapping", shop.root / "map.yaml") == 0, shop.err
    shop.run("enroll", "hello", "cy")
    shop.work()
    told = shop.json("why", "cy", "--mail", "hello")
    assert [line["reason"] for line in told if line["what"] == "refused"] == ([reason] if reason else [])
    assert shop.run("why", "cy") == 0
    assert (f"mail hello refused: {reason}\n" in shop.out) is bool(reason)


def test_why_of_a_mail_never_reached_says_so(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    assert live.run("why", "ann", "--mail", "bye") == 0
    assert "'bye' was never reached" in live.out


def test_why_of_a_message_begins_at_its_number_or_its_message_id(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    with sqlite3.connect(live.root / "nurture.db") as file:
        number, name = file.execute("SELECT id, mail_id FROM messages").fetchone()
    file.close()
    for ref in (number, f"<{name}>"):
        assert [row["what"] for row in live.json("why", "--mail", ref)] == ["entered", "released"]


@pytest.mark.parametrize("ref", ["99", "<99.0123@acme.example>", "hello", "-"])
def test_why_of_a_message_nobody_knows_says_what_to_give(live: Shop, ref: str) -> None:
    assert live.run("why", "--mail", ref) == 1
    assert "takes a number of 'nurture outbox list', or a Message-ID" in live.err


def test_why_of_a_campaign_counts_over_all_leads(live: Shop) -> None:
    for name in ("ann", "bob", "bob"):
        live.run("enroll", "hello", name)
        live.work()
    assert [(row["what"], row["reason"], row["count"]) for row in live.json("why", "--campaign", "hello")] == [
        ("enrollment", "waiting", 2),
        ("mail", "sent", 2),
        ("not_entered", "already in it", 1),
    ]
    assert live.run("why", "--campaign", "hello") == 0
    assert "1  did not enter: already in it\n" in live.out


def test_why_needs_something_to_ask_about(live: Shop) -> None:
    assert live.run("why") == 1
    assert "name a lead, or --campaign NAME" in live.err


def test_a_campaign_that_was_never_deployed_is_told_from_one_that_is_not_there(live: Shop) -> None:
    live.write("campaigns/new.yaml", "campaign: new\nenter: {manual: true}\nsteps: [{tag: x}]\n")
    assert live.run("why", "ann", "--campaign", "new") == 1
    assert "it was never deployed" in live.err
    assert live.run("why", "ann", "--campaign", "helo") == 1
    assert "did you mean 'hello'" in live.err


def test_only_the_latest_decisions_are_told_and_that_there_are_more(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    assert live.run("why", "ann", "--limit", "1") == 0
    assert "the latest 1 decisions" in live.out
    assert [row["what"] for row in live.json("why", "ann", "--limit", "1")] == ["waiting", "stands"]


def test_the_page_about_why_names_every_field_of_its_json(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    page = (ROOT / "docs/how-to/ask-why.md").read_text("utf-8")
    table = page.partition("## For programs")[2]
    named = {name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(live.json("why", "ann")[0])


def test_nobody_is_not_found(live: Shop) -> None:
    for command in (
        ["why", "zed"],
        ["consent", "show", "zed"],
        ["leads", "move", "zed", "mql"],
        ["enroll", "hello", "zed"],
    ):
        assert live.run(*command) == 1
        assert "there is no such lead" in live.err


def test_a_lead_moves_forward_and_back_only_where_the_funnel_lets_it(live: Shop) -> None:
    assert live.json("leads", "move", "ann", "mql") == {"lead": 1, "funnel": "main", "from": None, "to": "mql"}
    assert live.run("leads", "move", "ann", "lead") == 1
    assert live.err.startswith("error: not moved: ")


def test_tags_come_and_go(live: Shop) -> None:
    live.run("leads", "tag", "ann", "vip")
    assert live.json("leads", "show", "ann")["tags"] == ["vip"]
    assert live.json("leads", "untag", "ann", "vip")["changed"] is True
    assert live.json("leads", "untag", "ann", "vip")["changed"] is False


def test_a_team_takes_turns_and_an_owner_stays(live: Shop) -> None:
    owners = [live.json("leads", "assign", name, "sales")["owner"] for name in ("ann", "bob", "ann")]
    assert owners == ["ada@acme.example", "ben@acme.example", "ada@acme.example"]


def test_an_address_takes_the_lead_over(live: Shop) -> None:
    live.run("leads", "assign", "ann", "sales")
    assert live.json("leads", "assign", "ann", "eve@acme.example")["owner"] == "eve@acme.example"


def test_consent_shows_the_wording_as_it_was_given(live: Shop) -> None:
    found = live.json("consent", "show", "ann")
    assert found["consents"]["offers"]["state"] == "granted"
    assert [entry["wording"] for entry in found["entries"]] == ["w"]


def test_an_untouched_ledger_verifies(live: Shop) -> None:
    assert live.json("consent", "verify") == {"entries": 2, "tampered": []}


def test_an_edited_entry_is_named(live: Shop) -> None:
    with sqlite3.connect(live.root / "nurture.db") as file:
        file.execute("UPDATE consent_ledger SET wording = 'anything' WHERE id = 2")
    file.close()
    assert live.run("consent", "verify") == 1
    assert live.out.startswith("entry 2 ")


def test_an_unknown_message_is_resolved_once(live: Shop) -> None:
    live.run("enroll", "hello", "ann")
    live.work()
    with sqlite3.connect(live.root / "nurture.db") as file:
        file.execute("UPDATE messages SET state = 'unknown'")
    file.close()
    (row,) = live.json("outbox", "list", "--state", "unknown")
    assert live.run("outbox", "resolve", row["id"], "resend") == 0
    live.work()
    assert [m["state"] for m in live.json("outbox", "list")] == ["sent"]
    assert live.run("outbox", "resolve", row["id"], "sent") == 1


def test_a_key_is_shown_once_and_its_text_is_nowhere(live: Shop) -> None:
    made = live.json("keys", "create", "--scope", "ingest")
    assert list(made) == ["key"]
    assert made["key"].encode() not in (live.root / "nurture.db").read_bytes()


def test_a_revoked_key_is_no_longer_valid(live: Shop) -> None:
    live.json("keys", "create", "--scope", "ingest", "--name", "shop")
    assert live.run("keys", "revoke", 1) == 0
    assert [(key["name"], key["valid"]) for key in live.json("keys", "list")] == [("shop", False)]


def test_a_scope_that_is_none_is_refused(live: Shop) -> None:
    assert live.run("keys", "create", "--scope", "everything") == 1
    assert "one of: ingest" in live.err

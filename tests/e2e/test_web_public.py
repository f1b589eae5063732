"""What people and mailbox providers do with the links of a mail."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, text

from nurture.engine.confirming import request_of
from nurture.engine.consent import change
from nurture.engine.privacy import rectify
from nurture.lead.consent import Declaration, Proof
from nurture.mail.links import Links, Purpose
from nurture.store import erasing
from nurture.store.leads import LeadCall, upsert_leads
from tests.e2e.web_world import NOW, Endpoint, hidden, running

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


def unsubscribe(world: Endpoint, lead: int, topic: str = "offers", message: int = 5) -> str:
    return world.path(world.links.unsubscribe(lead, topic, message))


async def test_e03_one_click_urlencoded_withdraws_the_topic_of_the_mail(world: Endpoint) -> None:
    lead = world.member()
    answer = await world.client.post(unsubscribe(world, lead), data=ONE_CLICK, headers={"Accept": "", "User-Agent": ""})
    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert world.states(lead) == {"letter": "granted", "offers": "withdrawn"}


async def test_e03_one_click_multipart_withdraws_too(world: Endpoint) -> None:
    lead = world.member()
    answer = await world.client.post(unsubscribe(world, lead), files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    assert world.states(lead)["offers"] == "withdrawn"


async def test_e03_a_repeat_is_fine_and_one_entry(world: Endpoint) -> None:
    lead = world.member()
    answers = [await world.client.post(unsubscribe(world, lead), data=ONE_CLICK) for _ in range(3)]
    assert [a.status_code for a in answers] == [200] * 3
    assert [e["event"] for e in world.entries(lead) if e["topic"] == "offers"] == ["granted", "withdrawn"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"List-Unsubscribe=Two-Click", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click&x=1", "application/x-www-form-urlencoded"),
        (b"list-unsubscribe=one-click", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"do=topic", "application/x-www-form-urlencoded"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
        (b"\xff\xfe%%%&&&", "application/x-www-form-urlencoded"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"a=" + b"x" * 200_000, "application/x-www-form-urlencoded"),
    ],
)
async def test_e03_another_body_changes_nothing_and_answers_below_500(
    world: Endpoint, content: bytes, kind: str
) -> None:
    lead = world.member()
    answer = await world.client.post(unsubscribe(world, lead), content=content, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500
    assert world.states(lead)["offers"] == "granted"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_e04_looking_changes_nothing(world: Endpoint, method: str) -> None:
    lead = world.member()
    world.lead("u2", "bo@example.com")
    pending = world.lead("u3", "cy@example.com")
    with world.database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO consents (lead_id, topic, state, since, requests, objection_offered)"
                " VALUES (:l, 'letter', 'requested', :s, 1, false)"
            ),
            {"l": pending, "s": "2026-03-02T09:00:00.000000Z"},
        )
    urls = [
        world.links.unsubscribe(lead, "offers", 5),
        world.links.preferences(lead),
        world.links.confirm(pending, "letter", request_of(NOW)),
        world.links.form("guide", lead, {"seats": 4}),
    ]
    tables = ("consents", "consent_ledger", "suppressions", "events")
    before = [world.rows(table) for table in tables]
    for url in urls:
        for _ in range(3):
            answer = await world.client.request(method, world.path(url))
            assert answer.status_code in (200, 204)
    assert [world.rows(table) for table in tables] == before


async def test_c15_two_presses_from_the_mail_to_done(world: Endpoint) -> None:
    lead = world.member()
    page = await world.client.get(unsubscribe(world, lead))
    done = await world.client.post(unsubscribe(world, lead), data={**hidden(page.text), "do": "topic"})
    assert done.status_code == 200
    assert "You are unsubscribed" in done.text
    assert world.states(lead) == {"letter": "granted", "offers": "withdrawn"}


async def test_c18_the_page_after_one_click_offers_all(world: Endpoint) -> None:
    lead = world.member()
    page = await world.client.post(unsubscribe(world, lead), data=ONE_CLICK)
    assert "Stop all marketing emails" in page.text
    await world.client.post(unsubscribe(world, lead), data={**hidden(page.text), "do": "all"})
    assert set(world.states(lead).values()) == {"withdrawn"}


async def test_x09_a_page_button_without_the_pages_mark_does_nothing(world: Endpoint) -> None:
    lead = world.member()
    answer = await world.client.post(
        unsubscribe(world, lead), data={"do": "topic"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert world.states(lead)["offers"] == "granted"


async def test_x09_the_mark_of_one_page_serves_no_other(world: Endpoint) -> None:
    lead = world.member()
    other = await world.client.get(unsubscribe(world, lead, "letter"))
    answer = await world.client.post(unsubscribe(world, lead), data={**hidden(other.text), "do": "topic"})
    assert answer.status_code == 403
    assert world.states(lead)["offers"] == "granted"


async def test_x06_a_token_for_one_purpose_opens_no_other(world: Endpoint) -> None:
    lead = world.member()
    token = world.links.token(Purpose.PREFERENCES, lead, "offers", 5)
    await world.client.post(f"/u/{token}", data=ONE_CLICK)
    assert world.states(lead)["offers"] == "granted"


async def test_x07_a_token_nobody_made_gets_the_same_page(world: Endpoint) -> None:
    lead = world.member()
    real, gone = unsubscribe(world, lead), unsubscribe(world, 4711)
    foreign = Links("https://acme.example", ["another secret"]).unsubscribe(lead, "offers", 5)
    pages = [await world.client.get(path) for path in (real, gone, world.path(foreign), "/u/" + "x" * 42)]
    assert {page.status_code for page in pages} == {200}
    assert len({_without_marks(page.text) for page in pages}) == 1


async def test_x07_the_same_page_after_one_click(world: Endpoint) -> None:
    lead = world.member()
    pages = [
        await world.client.post(path, data=ONE_CLICK)
        for path in (unsubscribe(world, lead), unsubscribe(world, 4711), "/u/" + "x" * 42)
    ]
    assert {page.status_code for page in pages} == {200}
    assert len({_without_marks(page.text) for page in pages}) == 1


def _without_marks(html: str) -> str:
    """A page without what differs for every token."""
    return re.sub(r'value="[0-9a-f]{32}"|/p/[^"]+', "", html)


async def test_c16_an_old_link_works_after_two_key_changes_and_five_years(tmp_path: Path) -> None:
    async with running(tmp_path, secrets=["newest", "newer", "first"]) as world:
        lead = world.member()
        world.later(days=5 * 365)
        old = Links("https://acme.example", ["first"]).unsubscribe(lead, "offers", 5)
        answer = await world.client.post(world.path(old), data=ONE_CLICK)
        assert answer.status_code == 200
        assert world.states(lead)["offers"] == "withdrawn"


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)


@pytest.mark.parametrize("sent", ["before the backup", "after it"])
async def test_c16_an_old_link_works_after_a_backup_was_put_back(tmp_path: Path, sent: str) -> None:
    """Also that of a mail which the restored database never heard of."""
    async with running(tmp_path) as world:
        lead = world.member()
        copy_database(tmp_path / "nurture.db", tmp_path / "backup.db")
        message = 5
        if sent == "after it":
            world.lead("u2", "bo@example.com")
            message = 4711
        link = unsubscribe(world, lead, message=message)
    copy_database(tmp_path / "backup.db", tmp_path / "nurture.db")
    async with running(tmp_path) as world:
        assert (await world.client.post(link, data=ONE_CLICK)).status_code == 200
        assert world.states(lead)["offers"] == "withdrawn"


async def test_c16_a_link_of_a_merged_lead_reaches_who_it_became(world: Endpoint) -> None:
    old = world.lead("u9", None)
    lead = world.member()
    link = unsubscribe(world, old)
    with world.database.write() as tx:
        call = LeadCall(external="u1", previous="u9")
        upsert_leads(tx, [call], project=world.rules.project, keyring=world.keyring, now=NOW)
    await world.client.post(link, data=ONE_CLICK)
    assert world.states(lead)["offers"] == "withdrawn"


async def test_c16_an_old_link_works_after_the_address_changed(world: Endpoint) -> None:
    lead = world.member()
    link = unsubscribe(world, lead)
    with world.database.write() as tx:
        rectify(tx, lead, {"email": "anna@new.example"}, world.rules, "operator", world.clock.now(), None)
    world.later(days=5 * 365)
    assert (await world.client.post(link, data=ONE_CLICK)).status_code == 200
    assert world.states(lead)["offers"] == "withdrawn"


async def test_c16_a_link_of_somebody_erased_says_that_they_are_unsubscribed(world: Endpoint) -> None:
    lead, other = world.member(), world.member(external="u2", email="bo@example.com")
    link, known = unsubscribe(world, lead), unsubscribe(world, other)
    with world.database.write() as tx:
        erasing.erase(tx, lead)
    world.later(days=5 * 365)
    gone, there = await world.client.post(link, data=ONE_CLICK), await world.client.post(known, data=ONE_CLICK)
    assert gone.status_code == there.status_code == 200
    assert _without_marks(gone.text) == _without_marks(there.text)


async def test_e14_what_waits_is_cancelled_before_the_answer(world: Endpoint) -> None:
    lead = world.member()
    with world.database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO messages (lead_id, shard, visit, kind, service, topic, options, lane, state, due,"
                " released_at, attempts, fence) VALUES (:l, 0, 0, 'mail', 0, 'offers', '{}', 'other', 'pending',"
                " :t, :t, 0, 0)"
            ),
            {"l": lead, "t": "2026-03-02T09:00:00.000000Z"},
        )
    await world.client.post(unsubscribe(world, lead), data=ONE_CLICK)
    assert [(m["state"], m["reason"]) for m in world.rows("messages")] == [("cancelled", "withdrew offers")]


async def test_c01_the_proof_holds_where_and_how(world: Endpoint) -> None:
    lead = world.member()
    await world.client.post(unsubscribe(world, lead), data=ONE_CLICK, headers={"User-Agent": "Mail/1"})
    entry = world.entries(lead)[-1]
    assert (entry["method"], entry["page"], entry["ip"]) == ("one_click", "/u", "198.51.100.7")
    assert (entry["user_agent"], entry["evidence"]) == ("Mail/1", {"message": 5})


async def test_c03_a_forged_forwarded_header_is_not_an_address(world: Endpoint) -> None:
    lead = world.member()
    await world.client.post(unsubscribe(world, lead), data=ONE_CLICK, headers={"X-Forwarded-For": "192.0.2.99"})
    assert world.entries(lead)[-1]["ip"] == "198.51.100.7"


async def test_c03_a_trusted_proxys_word_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, trusted_proxies=("198.51.100.0/24",)) as world:
        lead = world.member()
        headers = {"X-Forwarded-For": "10.0.0.1, 192.0.2.99, 198.51.100.20"}
        await world.client.post(unsubscribe(world, lead), data=ONE_CLICK, headers=headers)
        assert world.entries(lead)[-1]["ip"] == "192.0.2.99"


@pytest.mark.parametrize("prefix", ["/mail/news", ""])
async def test_the_app_answers_with_and_without_the_path_of_its_base_url(tmp_path: Path, prefix: str) -> None:
    async with running(tmp_path, "https://acme.example/mail/news") as world:
        lead = world.member()
        path = world.path(world.links.unsubscribe(lead, "offers", 5)).removeprefix("/mail/news")
        answer = await world.client.post(prefix + path, data=ONE_CLICK)
        assert (answer.status_code, world.states(lead)["offers"]) == (200, "withdrawn")


async def test_x08_public_pages_keep_to_themselves(world: Endpoint) -> None:
    lead = world.member()
    for url in (
        unsubscribe(world, lead),
        world.path(world.links.preferences(lead)),
        world.path(world.links.confirm(lead, "letter", 0)),
        "/f/guide",
        "/nothing/here",
    ):
        page = await world.client.get(url)
        assert "set-cookie" not in page.headers
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-robots-tag"].startswith("noindex")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert not re.search(r'(?:src|href)="(?!https://acme\.example/)', page.text)


async def test_x08_the_address_is_masked(world: Endpoint) -> None:
    lead = world.member()
    page = await world.client.get(world.path(world.links.preferences(lead)))
    assert "a•••@e•••.com" in page.text
    assert "anna" not in page.text


@pytest.mark.parametrize(("locale", "words"), [("fr-CH", "désabonner"), ("ro", "dezabonați"), ("de", "unsubscribe me")])
async def test_pages_speak_the_leads_language(world: Endpoint, locale: str, words: str) -> None:
    lead = world.member(locale=locale)
    page = await world.client.get(unsubscribe(world, lead))
    assert words in page.text


async def test_preferences_show_what_holds_and_nothing_more_is_ticked(world: Endpoint) -> None:
    lead = world.lead()
    world.say(lead, "grant", "offers")
    page = await world.client.get(world.path(world.links.preferences(lead)))
    assert re.findall(r'value="(\w+)" checked', page.text) == ["offers"]


async def test_preferences_withdraw_what_is_left_out_and_ask_for_what_is_ticked(world: Endpoint) -> None:
    lead = world.lead()
    world.say(lead, "grant", "offers")
    path = world.path(world.links.preferences(lead))
    page = await world.client.get(path)
    form = hidden(page.text)["form"]
    saved = await world.client.post(
        path, data={"form": form, "do": "save", "shown": ["letter", "offers"], "topic": ["letter"]}
    )
    assert world.states(lead) == {"offers": "withdrawn", "letter": "requested"}
    assert "we have sent you an email" in saved.text


async def test_preferences_stop_everything(world: Endpoint) -> None:
    lead = world.member()
    path = world.path(world.links.preferences(lead))
    form = hidden((await world.client.get(path)).text)["form"]
    await world.client.post(path, data={"form": form, "do": "all"})
    assert set(world.states(lead).values()) == {"withdrawn"}


async def test_x09_preferences_without_their_mark_change_nothing(world: Endpoint) -> None:
    lead = world.member()
    path = world.path(world.links.preferences(lead))
    answer = await world.client.post(path, data={"do": "all"})
    assert answer.status_code == 403
    assert set(world.states(lead).values()) == {"granted"}


def asked(world: Endpoint) -> tuple[int, str]:
    """A lead that was asked to confirm, and the link of the mail."""
    lead = world.lead()
    with world.database.write() as tx:
        said = Declaration(lead, "letter", "grant", "person", "person", NOW, Proof(method="form", wording="Old words."))
        change(tx, [said], world.rules, NOW)
    [mail] = world.rows("messages")
    return lead, world.path(world.links.confirm(lead, "letter", mail["options"]["requests"]["letter"]))


async def test_c07_only_the_button_confirms(world: Endpoint) -> None:
    lead, path = asked(world)
    for _ in range(50):
        page = await world.client.get(path)
    assert world.states(lead) == {"letter": "requested"}
    assert "Yes, the letter." in page.text
    for _ in range(2):
        done = await world.client.post(path, data={**hidden(page.text), "do": "confirm"})
        assert "it is confirmed" in done.text
    assert world.states(lead) == {"letter": "granted"}
    assert [e["event"] for e in world.entries(lead)] == ["requested", "confirmed"]


async def test_c02_the_proof_keeps_the_words_of_the_request(world: Endpoint) -> None:
    lead, path = asked(world)
    await world.client.post(path, data=hidden((await world.client.get(path)).text))
    assert world.entries(lead)[-1]["wording"] == "Old words."


async def test_x09_another_sites_page_confirms_nothing(world: Endpoint) -> None:
    lead, path = asked(world)
    answer = await world.client.post(path, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert world.states(lead) == {"letter": "requested"}


async def test_c07_a_late_confirmation_does_nothing_and_says_so(world: Endpoint) -> None:
    lead, path = asked(world)
    world.later(days=8)
    page = await world.client.post(path, data=hidden((await world.client.get(path)).text))
    assert (page.status_code, world.states(lead)) == (200, {"letter": "requested"})
    assert "no longer valid" in page.text


async def test_an_unknown_confirmation_changes_nothing(world: Endpoint) -> None:
    page = await world.client.post("/c/" + "x" * 42)
    assert page.status_code == 200
    assert "no longer valid" in page.text


async def test_a_link_in_another_mail_renews_with_the_words_of_the_page(world: Endpoint) -> None:
    lead = world.member()
    world.later(days=800)
    path = world.path(world.links.confirm(lead, "letter", 0))
    await world.client.post(path, data=hidden((await world.client.get(path)).text))
    last = world.entries(lead)[-1]
    assert (last["event"], last["topic"], last["wording"]) == ("renewed", "letter", "Yes, the letter.")


async def test_r07_a_database_that_cannot_be_written_answers_503_and_pages_stay(world: Endpoint) -> None:
    lead = world.member()
    world.database.engine.dispose()

    @event.listens_for(world.database.engine, "connect")
    def read_only(connection: object, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    posted = await world.client.post(unsubscribe(world, lead), data=ONE_CLICK)
    shown = await world.client.get(unsubscribe(world, lead))
    assert posted.status_code == 503
    assert posted.headers["retry-after"]
    assert shown.status_code == 200
    assert world.states(lead)["offers"] == "granted"

"""The lead changes: merged, erased, at another address, in another zone (S27–S29)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select

from nurture.engine import privacy
from nurture.engine.recording import record
from nurture.engine.segment import Said
from nurture.engine.turn import Turn
from nurture.store import suppressions
from nurture.store.database import Database
from nurture.store.tables import consents, enrollments, events, leads, messages
from tests.journeys.world import KEYRING, Site, instant, person


def campaign(steps: str, enter: str = "{event: signup}", more: str = "") -> str:
    return f"campaign: mails\ntopic: offers\nenter: {enter}\nsteps: {steps}\n{more}\n"


def say(site: Site, at: str, **said: Any) -> list[int | None]:
    """One call as an endpoint takes it in; whom it was about."""
    assert site.live is not None
    call = Said(message_id=None, body="", **said)
    with site.db.write() as tx:
        receipts = record(tx, [(call, "test")], site.live.consent_rules, instant(at), Counter())
    return [receipt.lead for receipt in receipts]


def merge(site: Site, at: str) -> None:
    """The second lead turns out to be the first."""
    say(site, at, kind="alias", external="lead-0", previous="lead-1")


def two(db: Database, *campaigns: str, first: Any = None, second: Any = None) -> Site:
    site = Site(db)
    site.join(first or person(0), second or person(1))
    site.deploy(*campaigns)
    return site


def test_s27_events_of_both_count_with_their_own_instants(db: Database) -> None:
    steps = "[{wait: 1h}, {branch: [{if: {did: {event: visit, within: 2d, at_least: 2}}, steps: [{tag: often}]}]}]"
    site = two(db, campaign(steps))
    site.happens("0h", "visit", who=0)
    site.happens("1h", "visit", who=1)
    site.run("1h")
    merge(site, "2h")
    site.happens("3h", "signup")
    site.run("3h")
    site.run("4h")
    assert site.story().said("tagged") == ["tagged often at 4h"]


def test_s27_merged_events_get_no_new_reactions(db: Database) -> None:
    site = two(
        db, campaign("[{wait: 9d}]", "{event: login, only_if: {lead: {plan: gold}}}"), first=person(0, plan="gold")
    )
    site.happens("0h", "login", who=1)
    site.run("0h")
    merge(site, "1h")
    site.run("1h")
    assert site.story().entered(None) == []


def test_s27_a_running_settle_timer_runs_on(db: Database) -> None:
    site = two(db, campaign("[{wait: 9d}]", "{event: cart_updated, settle: 2h, key: cart_id}"))
    site.happens("0h", "cart_updated", who=1, cart_id="c")
    site.react("0h")
    merge(site, "1h")
    site.react("3h")
    assert site.story().entered(0) == ["2h"]


def test_s27_of_two_enrollments_with_one_key_the_older_stays(db: Database) -> None:
    site = two(db, campaign("[{wait: 9d}]"))
    site.happens("0h", "signup", who=1)
    site.run("0h")
    site.happens("1h", "signup", who=0)
    site.run("1h")
    merge(site, "2h")
    assert site.story().ends() == ["waiting", "exit(merged)"]


def test_s27_enrollments_with_other_keys_go_on(db: Database) -> None:
    site = two(db, campaign("[{wait: 1d}, {send: a}]", "{event: cart_updated, key: cart_id}"))
    site.happens("0h", "cart_updated", who=0, cart_id="a")
    site.happens("0h", "cart_updated", who=1, cart_id="b")
    site.run("0h")
    merge(site, "1h")
    site.run("1d")
    site.run("1d1s")
    assert site.story().ends() == ["finished", "finished"]


def test_s27_the_mail_of_the_one_that_leaves_is_cancelled(db: Database) -> None:
    site = two(db, campaign("[{send: a}, {wait: 9d}]"))
    for who in (1, 0):
        site.happens(f"{1 - who}h", "signup", who=who)
        site.pass_(f"{1 - who}h")
    merge(site, "2h")
    assert site.outbox() == ["a pending", "a cancelled"]


def test_s27_the_further_stage_in_each_funnel(db: Database) -> None:
    site = two(
        db, campaign("[{move: mql}, {move: sql}]"), first=person(0, stages=("lead",)), second=person(1, stages=("mql",))
    )
    merge(site, "1h")
    site.happens("2h", "signup")
    site.run("2h")
    assert site.story().said("move_refused", "moved") == ["move_refused mql already there at 2h", "moved sql at 2h"]


def test_s27_the_stricter_consent_per_topic(db: Database) -> None:
    site = two(db, campaign("[{send: a}, {send: b, topic: news}]"))
    site.happens("0h", "consent.withdrawn", who=1, topic="offers")
    merge(site, "1h")
    site.happens("2h", "signup")
    site.run("2h")
    story = site.story()
    assert [line.reason for line in story.lines if line.what == "refused"] in (["no consent"], ["suppressed"])
    assert story.sent() == ["b at 2h"]


def test_s27_a_merge_never_draws_an_arm_again(db: Database) -> None:
    steps = (
        "[{repeat: {every: 1d, at_most: 4, steps: [{split: {a: 50%, b: 50%}, arms: {a: [{tag: a}], b: [{tag: b}]}}]}}]"
    )
    site = Site(db)
    site.join(*(person(n) for n in range(12)))
    site.deploy(campaign(steps))
    for n in range(6, 12):
        site.happens("0h", "signup", who=n)
    site.run("0h")
    site.run("1d")
    for n in range(6):
        say(site, "25h", kind="alias", external=f"lead-{n}", previous=f"lead-{n + 6}")
    for day in (2, 3, 4):
        site.run(f"{day}d")
    drawn: dict[int | None, set[str | None]] = {}
    for line in site.story().lines:
        if line.what == "drew":
            drawn.setdefault(line.enrollment, set()).add(line.detail)
    assert [len(arms) for arms in drawn.values()] == [1] * 6


def erase(site: Site, who: int, at: str) -> None:
    assert site.live is not None
    with site.db.write() as tx:
        turn = Turn(tx, site.live)
        privacy.erase(turn, site.leads[who], "owner@shop.example", instant(at))
        turn.flush()


def test_s28_erasure_cancels_what_waits_and_ends_what_stands(db: Database) -> None:
    site = two(db, campaign("[{send: a}, {wait: 9d}]"))
    site.happens("0h", "signup")
    site.pass_("0h")
    erase(site, 0, "1h")
    with db.read() as tx:
        states = list(tx.execute(messages.select().with_only_columns(messages.c.state)).scalars())
        ends = tx.execute(enrollments.select().with_only_columns(enrollments.c.state, enrollments.c.reason)).all()
    assert set(states) <= {"cancelled"}
    assert [tuple(end) for end in ends] in ([("exited", "erased")], [])


def test_s28_nothing_of_an_erased_lead_is_advanced_any_more(db: Database) -> None:
    site = two(db, campaign("[{send: a}, {wait: 1d}, {send: b}]"))
    site.happens("0h", "signup")
    site.run("0h")
    erase(site, 0, "1h")
    site.run("2d")
    assert [text for text in site.outbox() if text.startswith("b")] == []


def test_s28_a_later_event_makes_a_new_lead_without_consent(db: Database) -> None:
    site = two(db, campaign("[{send: a}]"))
    erase(site, 0, "1h")
    (new,) = say(site, "2h", kind="identify", external="lead-0", traits={"email": "lead0@example.com"})
    assert new is not None
    site.leads.append(new)
    site.happens("3h", "signup", who=2)
    site.run("3h")
    assert (new != site.leads[0], len(site.story().said("refused", who=2))) == (True, 1)


def test_s28_the_suppression_of_the_address_stays(db: Database) -> None:
    site = two(db, campaign("[{send: a}]"))
    erase(site, 0, "1h")
    known = KEYRING.address_hash("lead0@example.com")
    with db.read() as tx:
        assert "marketing" in suppressions.scopes(tx, [known]).get(known, {})


def moved(db: Database, *, before: str = "", steps: str = "[{send: a}, {wait: 9d}]", more: str = "") -> Site:
    """The first lead got another address, one hour after its mail was released."""
    site = two(db, campaign(steps, more=more))
    site.happens("0h", "signup")
    site.pass_("0h")
    if before:
        site.happens("30m", before, topic="offers")
    say(site, "1h", kind="identify", external="lead-0", traits={"email": "new@gmail.com"})
    return site


def consent_of(site: Site, topic: str) -> str:
    with site.db.read() as tx:
        query = consents.select().with_only_columns(consents.c.state)
        return str(tx.execute(query.where(consents.c.lead_id == site.leads[0], consents.c.topic == topic)).scalar())


def test_s29_a_topic_with_double_opt_in_is_requested_again_others_carry_over(db: Database) -> None:
    site = moved(db)
    assert (consent_of(site, "offers"), consent_of(site, "news")) == ("requested", "granted")


def test_s29_a_withdrawal_stays_with_the_person(db: Database) -> None:
    site = moved(db, before="consent.withdrawn")
    new = KEYRING.address_hash("new@gmail.com")
    with db.read() as tx:
        assert (consent_of(site, "offers"), list(suppressions.scopes(tx, [new]).get(new, {}))) == (
            "withdrawn",
            ["topic:offers"],
        )


def test_s29_a_bounce_stays_with_the_address(db: Database) -> None:
    site = two(db, campaign("[{wait: 1h}, {send: bill, class: service}]"))
    with db.write() as tx:
        old = KEYRING.address_hash("lead0@example.com")
        suppressions.suppress(tx, [(old, "all", "bounce 5.1.1")], instant("0h"))
    say(site, "1h", kind="identify", external="lead-0", traits={"email": "new@example.org"})
    site.happens("2h", "signup")
    site.run("2h")
    site.run("3h")
    assert site.story().sent() == ["bill at 3h"]


def test_s29_a_mail_that_waits_goes_to_the_new_address_by_its_own_lane_or_not_at_all(db: Database) -> None:
    moved(db, steps="[{send: a, class: service}, {wait: 9d}]")
    with db.read() as tx:
        row = tx.execute(messages.select().where(messages.c.template == "a")).one()
    assert (row.state, row.reason, row.mail_id, row.lane != "other") == ("pending", "new address", None, True)


def test_s29_another_zone_moves_no_stored_instant_and_the_next_wait_uses_it(db: Database) -> None:
    steps = '[{wait: {until: "09:00"}}, {send: a}, {wait: {until: "09:00"}}, {send: b}]'
    site = two(db, campaign(steps), first=person(0, timezone="Europe/Zurich"))
    site.happens("0h", "signup")
    site.run("0h")
    say(site, "1h", kind="identify", external="lead-0", traits={"timezone": "Asia/Tokyo"})
    for hour in range(1, 60):
        site.run(f"{hour}h")
    # 9:00 in Zurich is 8:00 UTC on Tuesday; 9:00 in Tokyo is 0:00 UTC on Wednesday.
    assert site.story().sent() == ["a at 22h", "b at 1d14h"]


def test_s29_the_lead_itself_stays_the_same(db: Database) -> None:
    site = moved(db)
    with db.read() as tx:
        row = tx.execute(leads.select().where(leads.c.id == site.leads[0])).one()
    assert row.email == "new@gmail.com"


AFTER = (
    "campaign: after\nenter: {event: visit}\nsteps:\n"
    "  - wait_for: {match: {not: {in_campaign: mails}}, up_to: 9d}\n  - tag: free\n"
)


def test_s30_an_enrollment_ended_by_a_withdrawal_wakes_who_waits_for_its_end(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(campaign("[{wait: 30d}]"), AFTER)
    site.happens("0h", "signup")
    site.happens("0h", "visit")
    site.run("0h")
    site.happens("1h", "consent.withdrawn", topic="offers")
    site.run("1h")
    assert site.story().said("tagged") == ["tagged free at 1h"]


def test_s30_an_enrollment_ended_by_a_merge_is_told(db: Database) -> None:
    site = two(db, campaign("[{wait: 30d}]"), AFTER)
    for who in (0, 1):
        site.happens("0h", "signup", who=who)
    site.run("0h")
    merge(site, "1h")
    with db.read() as tx:
        told = tx.execute(events.select().where(events.c.name == "enrollment.ended")).mappings().all()
    assert [(row["lead_id"], row["properties"]) for row in told] == [(site.leads[0], {"campaign": "mails"})]


def test_s30_an_end_nobody_asks_about_is_no_event(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(campaign("[{wait: 30d}]"))
    site.happens("0h", "signup")
    site.run("0h")
    site.happens("1h", "consent.withdrawn", topic="offers")
    with db.read() as tx:
        assert "enrollment.ended" not in set(tx.execute(select(events.c.name)).scalars())

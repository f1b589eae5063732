"""The last question before MAIL FROM: whoever said no since the release, or is gone, gets nothing (trust E14, C24)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nurture.engine import bounces, consent, gate, outcomes, privacy
from nurture.engine.recording import record
from nurture.engine.segment import Said
from nurture.engine.turn import Turn
from nurture.lead.consent import Declaration, Proof
from nurture.mail.outcome import Kind, Move, Outcome
from nurture.store import outbox, rights, suppressions
from nurture.store.consents import people
from nurture.store.database import Database
from nurture.store.outbox import Claimed, Launch, Result
from nurture.store.tables import attempts, decisions, enrollments, events, leads, messages
from tests.journeys.world import KEYRING, Site, instant, person

MACHINE = datetime(2026, 11, 22, tzinfo=UTC)
DEAD = Outcome(kind=Kind.HARD, rule="gone", message=Move.FAIL, suppress_after=1)
WELCOME = "campaign: mails\ntopic: offers\nenter: {event: signup}\nsteps: [{send: a}, {wait: 9d}]\n"
NIGHTS = 'window: {days: mon-sat, between: "09:00-20:00", zone: lead}\n'


def released(db: Database, campaign: str = WELCOME, people: int = 1) -> Site:
    """A mail to each of these people waits in the outbox."""
    site = Site(db)
    site.join(*(person(n) for n in range(people)))
    site.deploy(campaign)
    for n in range(people):
        site.happens("0h", "signup", who=n)
    site.pass_("0h")
    return site


def claim(site: Site, at: str = "1m") -> list[Claimed]:
    with site.db.write() as tx:
        return outbox.claim(tx, None, instant(at), MACHINE + timedelta(minutes=2), "worker", 100)


def ask(site: Site, claimed: Sequence[Claimed], at: str = "2m") -> set[int]:
    launches = {m.id: Launch(m.id, m.fence, f"{m.id}@shop", MACHINE, "hash", None) for m in claimed}
    with site.db.write() as tx:
        return gate.pass_gate(Turn(tx, site._live(tx)), claimed, launches, "worker", instant(at), MACHINE)


def rows(site: Site, table: Any, *names: str) -> list[Any]:
    with site.db.read() as tx:
        return [tuple(row) for row in tx.execute(table.select().with_only_columns(*(table.c[n] for n in names)))]


def withdraw(site: Site, topic: str = "offers") -> None:
    assert site.live is not None
    said = Declaration(site.leads[0], topic, "withdraw", "person", "person", instant("1m"), Proof("page"))
    with site.db.write() as tx:
        consent.change(tx, [said], site.live.consent_rules, instant("1m"))


def erase(site: Site) -> None:
    with site.db.write() as tx:
        privacy.erase(Turn(tx, site._live(tx)), site.leads[0], "operator", instant("1m"))


def close(scope: str) -> Callable[[Site], None]:
    def act(site: Site) -> None:
        with site.db.write() as tx:
            suppressions.suppress(tx, [(KEYRING.address_hash("lead0@example.com"), scope, "bounce")], instant("1m"))

    return act


def restrict(site: Site) -> None:
    with site.db.write() as tx:
        rights.set_restricted(tx, site.leads[0], True)


def rest(site: Site) -> None:
    with site.db.write() as tx:
        rights.set_pause(tx, site.leads[0], instant("30d"))


def test_r03_what_may_go_has_its_attempt_when_the_gate_has_answered(db: Database) -> None:
    site = released(db)
    claimed = claim(site)
    assert ask(site, claimed) == {claimed[0].id}
    assert rows(site, messages, "state", "attempts", "mail_id") == [("sending", 1, f"{claimed[0].id}@shop")]
    assert rows(site, attempts, "message_id", "worker", "started_at") == [(claimed[0].id, "worker", MACHINE)]


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (close("all"), "suppressed"),
        (close("marketing"), "suppressed"),
        (close("topic:offers"), "suppressed"),
        (restrict, "suppressed"),
        (rest, "suppressed"),
    ],
)
def test_e14_what_was_closed_since_the_claim_is_cancelled_at_the_wire(
    db: Database, act: Callable[[Site], None], reason: str
) -> None:
    site = released(db)
    claimed = claim(site)
    act(site)
    assert ask(site, claimed) == set()
    assert rows(site, messages, "state", "reason", "attempts") == [("cancelled", reason, 0)]
    assert ("refused", reason) in rows(site, decisions, "what", "reason")


@pytest.mark.parametrize("act", [withdraw, erase])
def test_e14_a_claim_that_a_no_has_taken_away_is_not_launched(db: Database, act: Callable[[Site], None]) -> None:
    site = released(db)
    claimed = claim(site)
    act(site)
    assert ask(site, claimed) == set()
    assert rows(site, attempts, "message_id") == []


@pytest.mark.parametrize("act", [withdraw, erase])
def test_e14_asked_again_while_it_waits_for_its_connection_a_no_still_counts(
    db: Database, act: Callable[[Site], None]
) -> None:
    site = released(db)
    claimed = claim(site)
    assert len(ask(site, claimed)) == 1
    act(site)
    assert ask(site, claimed) == set()
    assert rows(site, messages, "state") == [("cancelled",)]


def test_e14_asked_again_without_a_no_it_has_one_attempt(db: Database) -> None:
    site = released(db)
    claimed = claim(site)
    assert ask(site, claimed) == ask(site, claimed) == {claimed[0].id}
    assert len(rows(site, attempts, "message_id")) == 1


def test_c24_one_who_was_erased_does_not_hold_up_the_others_of_a_batch(db: Database) -> None:
    site = released(db, WELCOME + NIGHTS, people=2)
    claimed = claim(site)
    erase(site)
    assert ask(site, claimed) == {m.id for m in claimed if m.lead != site.leads[0]}


def test_a_window_that_has_closed_meanwhile_holds_the_mail_until_it_opens(db: Database) -> None:
    site = released(db, WELCOME + NIGHTS)
    claimed = claim(site, "10h")
    assert ask(site, claimed, "10h") == set()
    assert rows(site, messages, "state", "due", "reason") == [("pending", instant("23h"), "window")]
    assert ("deferred", "window") in rows(site, decisions, "what", "reason")


def test_a_window_that_is_open_holds_nothing(db: Database) -> None:
    site = released(db, WELCOME + NIGHTS)
    claimed = claim(site)
    assert ask(site, claimed, "9h59m") == {claimed[0].id}


@pytest.mark.parametrize(("key", "reason"), [("goal", "goal"), ("exit", "exit")])
def test_a_goal_or_an_exit_by_match_that_holds_now_cancels_the_mail(db: Database, key: str, reason: str) -> None:
    match = "{match: {lead: {created_at: {before: -2h}}}}"
    more = f"goal: {match}\n" if key == "goal" else f"exit: [{match}]\n"
    site = released(db, WELCOME + more)
    claimed = claim(site)
    assert ask(site, claimed, "1h") == {claimed[0].id}
    assert ask(site, claimed, "3h") == set()
    assert rows(site, messages, "state", "reason") == [("cancelled", reason)]


def asked_to_confirm(db: Database) -> tuple[Site, list[Claimed]]:
    site = Site(db)
    site.join(person(consents=()))
    site.deploy(WELCOME)
    site.pass_("0h")
    assert site.live is not None
    said = Declaration(site.leads[0], "offers", "grant", "person", "person", instant("0h"), Proof("form"))
    with db.write() as tx:
        consent.change(tx, [said], site.live.consent_rules, instant("0h"))
    return site, claim(site)


def test_c08_who_waits_to_confirm_is_asked(db: Database) -> None:
    site, claimed = asked_to_confirm(db)
    assert ask(site, claimed) == {claimed[0].id}


def test_c08_who_took_the_request_back_is_not_asked_to_confirm_it(db: Database) -> None:
    site, claimed = asked_to_confirm(db)
    ask(site, claimed)  # it is on its way; its answer has aged when it is asked about once more
    withdraw(site)
    assert ask(site, claimed) == set()
    assert rows(site, messages, "state", "reason") == [("cancelled", "no consent")]


def test_x18_nobody_is_asked_to_confirm_where_somebody_complained(db: Database) -> None:
    site, claimed = asked_to_confirm(db)
    with db.write() as tx:
        closed = (KEYRING.address_hash("lead0@example.com"), "marketing", "complaint: abuse")
        suppressions.suppress(tx, [closed], instant("1m"))
    assert ask(site, claimed) == set()


def test_c28_whose_data_may_not_be_used_is_still_told_what_is_known_of_them(db: Database) -> None:
    site = released(db, WELCOME.replace("send: a", "wait: 1d"))
    assert site.live is not None
    with db.write() as tx:
        who = people(tx, site.leads)[site.leads[0]]
        assert privacy.ask(tx, who, "data", site.live.consent_rules, instant("0h"))
    claimed = claim(site)
    restrict(site)
    assert ask(site, claimed) == {claimed[0].id}


def test_service_mail_is_kept_back_by_a_dead_mailbox_alone(db: Database) -> None:
    site = released(db, WELCOME.replace("{send: a}", "{send: a, class: service}") + "on_withdrawal: stay\n")
    claimed = claim(site)
    withdraw(site, "*")
    close("marketing")(site)
    assert ask(site, claimed) == {claimed[0].id}
    close("all")(site)
    assert ask(site, claimed) == set()


def merged(site: Site) -> None:
    """The second lead turns out to be the first."""
    said = Said("alias", None, "", external="lead-0", previous="lead-1")
    with site.db.write() as tx:
        record(tx, [(said, "test")], site._live(tx).consent_rules, instant("1m"), Counter())


def readdressed(site: Site) -> None:
    said = Said("identify", None, "", external="lead-0", traits={"email": "new@example.com"})
    with site.db.write() as tx:
        record(tx, [(said, "test")], site._live(tx).consent_rules, instant("1m"), Counter())


def test_s27_a_mail_claimed_while_its_lead_is_merged_goes_to_who_they_are_now(db: Database) -> None:
    site = released(db, people=2)
    mine = [m for m in claim(site) if m.lead == site.leads[1]]
    with db.write() as tx:
        tx.execute(messages.update().where(messages.c.lead_id == site.leads[0]).values(state="sent"))
        tx.execute(enrollments.update().where(enrollments.c.lead_id == site.leads[0]).values(state="finished"))
    merged(site)
    assert ask(site, mine) == set()
    [again] = claim(site, "3m")
    assert (again.id, again.lead) == (mine[0].id, site.leads[0])


def test_s27_a_mail_that_waits_for_its_connection_outlives_a_merge(db: Database) -> None:
    site = released(db, people=2)
    mine = [m for m in claim(site) if m.lead == site.leads[1]]
    ask(site, mine)
    merged(site)
    assert ask(site, mine) == set()
    assert ("pending", "merged") in rows(site, messages, "state", "reason")


@pytest.mark.parametrize(("state", "event"), [("sent", "mail.sent"), ("failed", "mail.bounced")])
def test_s27_what_came_of_a_mail_on_the_wire_is_told_of_who_its_lead_was_merged_into(
    db: Database, state: str, event: str
) -> None:
    site = released(db, people=2)
    [m] = [m for m in claim(site) if m.lead == site.leads[1]]
    ask(site, [m])
    merged(site)
    result = Result(m.id, m.fence, state, instant("3m"))
    with db.write() as tx:
        turn = Turn(tx, site._live(tx))
        outcomes.settle(turn, {m.id: m}, [result])
        bounces.note(turn, [(m, DEAD, result)], {m.id: "lead1@example.com"}, KEYRING, instant("3m"))
        turn.flush()
    told = [lead for lead, name in rows(site, events, "lead_id", "name") if name == event]
    assert told == [site.leads[0]]


def test_e15_the_wire_gate_notes_whom_a_mail_goes_to(db: Database) -> None:
    site = released(db)
    [m] = claim(site)
    to = KEYRING.address_hash("lead0@example.com")
    launch = Launch(m.id, m.fence, "1@x", MACHINE, "hash", None, "", "lead0@example.com", to)
    with db.write() as tx:
        gate.pass_gate(Turn(tx, site._live(tx)), [m], {m.id: launch}, "worker", instant("2m"), MACHINE)
    assert rows(site, messages, "mailed_to") == [(to,)]


def test_s29_a_mail_that_waits_for_its_connection_is_not_written_to_the_address_before(db: Database) -> None:
    site = released(db, WELCOME.replace("{send: a}", "{send: a, class: service}"))
    claimed = claim(site)
    launches = {m.id: Launch(m.id, m.fence, "1@x", MACHINE, "hash", None, "", "lead0@example.com") for m in claimed}
    for act, going in ((lambda _: None, {claimed[0].id}), (readdressed, set())):
        act(site)
        with db.write() as tx:
            live = site._live(tx)
            assert gate.pass_gate(Turn(tx, live), claimed, launches, "worker", instant("2m"), MACHINE) == going
    assert ("pending", "new address") in rows(site, messages, "state", "reason")


def test_x18_s29_a_confirmation_that_waits_for_its_connection_does_not_follow_to_another_mailbox(db: Database) -> None:
    site, claimed = asked_to_confirm(db)
    assert ask(site, claimed) == {claimed[0].id}
    readdressed(site)
    assert ask(site, claimed) == set()
    # The new mailbox has been asked by a mail of its own; two there within a day would be one too many.
    assert sorted(rows(site, messages, "id", "state", "reason")) == [
        (1, "cancelled", "new address"),
        (2, "pending", None),
    ]


def test_s29_a_refusal_closes_the_address_the_mail_went_to_and_not_the_new_one(db: Database) -> None:
    site = released(db)
    [m] = claim(site)
    ask(site, [m])
    readdressed(site)
    result = Result(m.id, m.fence, "failed", instant("3m"))
    with db.write() as tx:
        turn = Turn(tx, site._live(tx))
        bounces.note(turn, [(m, DEAD, result)], {m.id: "lead0@example.com"}, KEYRING, instant("3m"))
        turn.flush()
        old, new = (KEYRING.address_hash(address) for address in ("lead0@example.com", "new@example.com"))
        assert suppressions.scopes(tx, [old, new]) == {old: {"all": "bounce: gone"}}


def test_r05_a_claim_of_long_ago_launches_nothing(db: Database) -> None:
    site = released(db)
    [late] = claim(site)
    assert ask(site, [replace(late, fence=late.fence - 1)]) == set()


def test_what_the_wire_refused_is_recorded_with_its_place(db: Database) -> None:
    site = released(db)
    claimed = claim(site)
    close("all")(site)
    ask(site, claimed)
    found = rows(site, decisions, "what", "enrollment_id", "version", "step", "inputs")
    [refused] = [row[1:] for row in found if row[0] == "refused"]
    m = claimed[0]
    assert refused == (m.enrollment, m.version, m.step, {"detail": "a", "at": "wire"})


def test_c24_behind_one_who_was_erased_the_others_are_still_asked_about(db: Database) -> None:
    site = released(db, people=2)
    claimed = claim(site)
    erase(site)
    other = (KEYRING.address_hash("lead1@example.com"), "all", "bounce")
    with db.write() as tx:
        suppressions.suppress(tx, [other], instant("1m"))
    assert ask(site, sorted(claimed, key=lambda m: m.lead != site.leads[0])) == set()


def test_c23_of_one_who_was_erased_the_gate_writes_nothing_down(db: Database) -> None:
    site = released(db)
    claimed = claim(site)
    erase(site)
    assert ask(site, claimed) == set()
    assert site.leads[0] not in [lead for (lead,) in rows(site, decisions, "lead_id")]


def test_a_window_is_asked_about_at_the_leads_own_time(db: Database) -> None:
    site = released(db, WELCOME + NIGHTS)
    claimed = claim(site)
    with db.write() as tx:
        tx.execute(leads.update().values(zone="America/New_York"))
    assert ask(site, claimed) == set()  # it is five in the morning there


def test_a_mail_is_asked_about_by_its_own_version_of_the_campaign(db: Database) -> None:
    goal = "goal: {match: {lead: {created_at: {before: -2h}}}}\n"
    site = released(db, WELCOME + goal)
    claimed = claim(site)
    site.deploy(WELCOME.replace("9d", "8d"), at="1m")
    assert ask(site, claimed, "3h") == set()


def test_a_worker_that_has_just_started_reads_the_version_of_a_mail_whose_walk_is_over(db: Database) -> None:
    site = released(db, WELCOME.replace(", {wait: 9d}", ""))
    claimed = claim(site)
    site.deploy(WELCOME, at="1m")
    assert rows(site, enrollments, "state") == [("finished",)]
    site.live = None
    assert ask(site, claimed) == {claimed[0].id}


@pytest.mark.parametrize(("zone", "going"), [("Pacific/Auckland", False), ("Europe/Paris", True)])
def test_a_goal_is_asked_about_on_the_leads_own_day(db: Database, zone: str, going: bool) -> None:
    site = Site(db)
    site.join(person(timezone=zone, birthday="1990-03-04"))
    site.deploy(WELCOME + "goal: {match: {lead: {birthday: {anniversary_in: 1d}}}}\n")
    site.happens("0h", "signup")
    site.pass_("0h")  # 23:00 on the second of March in Auckland
    claimed = claim(site)
    assert ask(site, claimed, "2h") == {m.id for m in claimed if going}


def test_behind_a_campaign_without_a_goal_the_next_is_asked_about(db: Database) -> None:
    goal = "goal: {match: {lead: {created_at: {before: -2h}}}}\n"
    site = Site(db)
    site.join(person())
    site.deploy(WELCOME, WELCOME.replace("mails", "more") + goal)
    site.happens("0h", "signup")
    site.pass_("0h")
    claimed = claim(site)
    assert ask(site, claimed, "3h") == {m.id for m in claimed if m.campaign == "mails"}


def test_c28_whose_data_may_not_be_used_is_not_asked_to_confirm(db: Database) -> None:
    site, claimed = asked_to_confirm(db)
    restrict(site)
    assert ask(site, claimed) == set()


@pytest.mark.parametrize(("cart", "going"), [("A", False), ("B", True)])
def test_a_goal_is_asked_about_for_the_mails_own_enrollment(db: Database, cart: str, going: bool) -> None:
    goal = "goal: {match: {did: {event: order_completed, same: cart_id, since_entry: true}}}\n"
    site = Site(db)
    site.join(person())
    site.deploy(WELCOME.replace("{event: signup}", "{event: cart_updated, key: cart_id}") + goal)
    site.happens("0h", "cart_updated", cart_id="A", total=5)
    site.pass_("0h")
    claimed = claim(site)
    site.happens("1m", "order_completed", cart_id=cart, total=5, currency="EUR")
    with db.write() as tx:  # seen, and the mail was claimed before the pass that saw it
        tx.execute(events.update().where(events.c.name == "order_completed").values(seq=99))
    assert ask(site, claimed) == {m.id for m in claimed if going}

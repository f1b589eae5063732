"""Whom a batch of calls means, and what it makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from nurture.campaign.duration import Duration
from nurture.campaign.project import Funnel, Project, Score, Stage
from nurture.errors import LostRace
from nurture.lead.keyring import Keyring
from nurture.lead.lead import shard_of
from nurture.store import tables as t
from nurture.store.database import Database, insert_rows
from nurture.store.identities import find_lead, present_lead
from nurture.store.leads import LeadCall, Resolved, upsert_leads
from nurture.store.merging import merge_rows
from tests.store.people import World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEYRING = Keyring(["new secret", "old secret"])
PROJECT = Project(funnels={"shop": Funnel("shop", (Stage("lead"), Stage("mql"), Stage("customer")))})


def say(db: Database, *calls: LeadCall, at: datetime = NOW) -> Sequence[Resolved]:
    with db.write() as tx:
        return upsert_leads(tx, calls, project=PROJECT, keyring=KEYRING, now=at)


def identify(external: str | None = None, *, anonymous: str | None = None, **traits: Any) -> LeadCall:
    columns = {n: traits.pop(n) for n in ("email", "first_name", "country") if n in traits}
    return LeadCall(external=external, anonymous=anonymous, columns=columns, attributes=traits)


def row(db: Database, lead: int) -> Any:
    with db.read() as tx:
        return tx.execute(select(t.leads).where(t.leads.c.id == lead)).mappings().one()


def count(db: Database, table: Any) -> int:
    with db.read() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar() or 0)


def test_a_new_id_makes_a_lead_with_its_traits(db: Database) -> None:
    [who] = say(db, identify("u1", email="Anna@Example.com", first_name="Anna", plan="pro"))
    lead = row(db, who.lead)
    assert (lead["external_id"], lead["email"], lead["canonical"]) == ("u1", "Anna@example.com", "anna@example.com")
    assert lead["attributes"] == {"plan": "pro"}
    assert who.created
    assert who.changed == {"email": "Anna@example.com", "first_name": "Anna", "plan": "pro"}


def test_the_address_hash_is_keyed_by_the_oldest_secret(db: Database) -> None:
    [who] = say(db, identify("u1", email="anna@example.com"))
    assert row(db, who.lead)["address_hash"] == Keyring(["old secret"]).address_hash("ANNA@example.com")


def test_the_shard_follows_from_the_id(db: Database) -> None:
    answers = say(db, *[identify(f"u{n}") for n in range(20)])
    assert [row(db, a.lead)["shard"] for a in answers] == [shard_of(a.lead) for a in answers]


def test_one_person_twice_in_a_batch_is_one_lead(db: Database) -> None:
    first, second = say(db, identify("u1", plan="pro"), identify("u1", plan="team"))
    assert first.lead == second.lead
    assert (first.created, second.created) == (True, False)
    assert row(db, first.lead)["attributes"] == {"plan": "team"}


def test_saying_the_same_again_changes_nothing(db: Database) -> None:
    say(db, identify("u1", email="anna@example.com", plan="pro"))
    [again] = say(db, identify("u1", email="anna@example.com", plan="pro"))
    assert not again.changed
    assert not again.created


def test_a_null_takes_an_attribute_away(db: Database) -> None:
    [who] = say(db, identify("u1", plan="pro"))
    [again] = say(db, identify("u1", plan=None))
    assert row(db, who.lead)["attributes"] == {}
    assert again.changed == {"plan": None}


def test_a_browser_that_names_itself_becomes_the_lead(db: Database) -> None:
    [visit] = say(db, identify(anonymous="a1"))
    [named] = say(db, identify("u1", anonymous="a1", email="anna@example.com"))
    assert named.lead == visit.lead
    assert row(db, named.lead)["external_id"] == "u1"


def test_s27_a_browser_joins_the_person_who_signs_in(db: Database) -> None:
    [known] = say(db, identify("u1", email="anna@example.com"))
    [visit] = say(db, identify(anonymous="a1", plan="free"))
    world = World(db)
    world.event(visit.lead, "page_viewed")
    [joined] = say(db, identify("u1", anonymous="a1"))
    assert (joined.lead, joined.merged) == (known.lead, (visit.lead,))
    with db.read() as tx:
        assert tx.execute(select(t.events.c.lead_id, t.events.c.shard)).all() == [(known.lead, shard_of(known.lead))]
        assert present_lead(tx, visit.lead) == known.lead
    assert row(db, known.lead)["attributes"] == {"plan": "free"}


def test_two_people_on_one_browser_stay_two(db: Database) -> None:
    one, other = say(db, identify("u1", anonymous="a1"), identify("u2", anonymous="a1"))
    [next_visit] = say(db, identify(anonymous="a1"))
    assert one.lead != other.lead
    assert next_visit.lead == other.lead


def test_an_address_known_without_an_id_gets_the_id(db: Database) -> None:
    [by_form] = say(db, identify(email="anna@example.com"))
    [by_shop] = say(db, identify("u1", email="ANNA@example.com"))
    assert by_shop.lead == by_form.lead


def test_an_address_of_another_account_is_not_taken(db: Database) -> None:
    [one] = say(db, identify("u1", email="anna@example.com"))
    [other] = say(db, identify("u2", email="anna@example.com", plan="pro"))
    assert other.lead != one.lead
    assert other.refused == {"email": "the address belongs to another lead"}
    assert row(db, other.lead)["attributes"] == {"plan": "pro"}


def test_what_is_no_address_is_refused_and_the_rest_is_kept(db: Database) -> None:
    [who] = say(db, identify("u1", email="anna at example", plan="pro"))
    assert list(who.refused) == ["email"]
    assert row(db, who.lead)["email"] is None
    assert row(db, who.lead)["attributes"] == {"plan": "pro"}


def test_s29_a_replaced_address_is_told(db: Database) -> None:
    say(db, identify("u1", email="old@example.com"))
    [who] = say(db, identify("u1", email="new@example.com"))
    assert who.old_address == "old@example.com"


def test_alias_joins_two_known_people(db: Database) -> None:
    old, new = say(db, identify("u1", email="anna@example.com"), identify("u2"))
    [joined] = say(db, LeadCall(external="u2", previous="u1"))
    assert (joined.lead, joined.merged) == (new.lead, (old.lead,))
    assert row(db, new.lead)["canonical"] == "anna@example.com"
    with db.read() as tx:
        assert find_lead(tx, "u1") == new.lead


def test_alias_within_the_batch_that_made_both(db: Database) -> None:
    *_, joined = say(db, identify("u1", a=1), identify("u2", b=2), LeadCall(external="u2", previous="u1"))
    assert count(db, t.leads) == 1
    assert row(db, joined.lead)["attributes"] == {"a": 1, "b": 2}


def test_words_of_a_stranger_only_fill_gaps(db: Database) -> None:
    [who] = say(db, identify("u1", email="anna@example.com", first_name="Anna"))
    stranger = LeadCall(
        columns={"email": "anna@example.com", "first_name": "Eve", "country": "FR"}, fill_only=True, attributes={"x": 1}
    )
    [again] = say(db, stranger)
    assert again.lead == who.lead
    assert (row(db, who.lead)["first_name"], row(db, who.lead)["country"]) == ("Anna", "FR")


def test_a_lead_is_found_by_address_external_id_and_id(db: Database) -> None:
    [who] = say(db, identify("user-7", email="anna@example.com"))
    with db.read() as tx:
        found = [find_lead(tx, ref) for ref in ("Anna@Example.com", "user-7", str(who.lead), "nobody", "999999")]
    assert found == [who.lead, who.lead, who.lead, None, None]


def test_an_external_id_of_digits_goes_before_our_own(db: Database) -> None:
    _, named = say(db, identify("x"), identify("1"))
    with db.read() as tx:
        assert find_lead(tx, "1") == named.lead


def merged(db: Database) -> tuple[World, int, int]:
    """A known lead and a browser, about to be joined."""
    [known] = say(db, identify("u1", email="anna@example.com"))
    [visit] = say(db, identify(anonymous="a1"))
    return World(db, PROJECT), known.lead, visit.lead


def test_s27_of_two_open_enrollments_the_older_stays(db: Database) -> None:
    world, known, visit = merged(db)
    older = world.enrollment(visit, "cart", key="c1", entered_at=NOW - timedelta(days=2))
    newer = world.enrollment(known, "cart", key="c1", entered_at=NOW - timedelta(days=1))
    mail = world.mail(known, state="pending", enrollment_id=newer, sent_at=None)
    say(db, identify("u1", anonymous="a1"))
    with db.read() as tx:
        c = t.enrollments.c
        states = {r.id: (r.state, r.reason, r.lead_id) for r in tx.execute(select(c.id, c.state, c.reason, c.lead_id))}
        assert tx.execute(select(t.messages.c.state).where(t.messages.c.id == mail)).scalar() == "cancelled"
    assert states == {older: ("waiting", None, known), newer: ("exited", "merged", known)}


def test_s27_the_further_stage_stays(db: Database) -> None:
    world, known, visit = merged(db)
    world.stands(known, "lead", funnel="shop")
    world.stands(visit, "mql", funnel="shop")
    say(db, identify("u1", anonymous="a1"))
    with db.read() as tx:
        assert tx.execute(select(t.lead_stages.c.lead_id, t.lead_stages.c.stage)).all() == [(known, "mql")]


def test_s27_the_stricter_consent_stays(db: Database) -> None:
    world, known, visit = merged(db)
    for topic, mine, theirs in (("a", "granted", "withdrawn"), ("b", "objected", "granted")):
        world.consent(known, topic, mine)
        world.consent(visit, topic, theirs)
    world.consent(visit, "c", "granted")
    say(db, identify("u1", anonymous="a1"))
    with db.read() as tx:
        states = dict(tx.execute(select(t.consents.c.topic, t.consents.c.state).order_by(t.consents.c.topic)).all())
    assert states == {"a": "withdrawn", "b": "objected", "c": "granted"}


def test_s27_scores_add_up_and_tags_are_of_both(db: Database) -> None:
    world, known, visit = merged(db)
    world.score(known, "interest", 10, NOW)
    world.score(visit, "interest", 5, NOW - timedelta(days=1))
    for lead, tag in ((known, "vip"), (visit, "vip"), (visit, "reader")):
        world.tag(lead, tag)
    say(db, identify("u1", anonymous="a1"))
    with db.read() as tx:
        assert tx.execute(select(t.lead_scores.c.value)).scalars().all() == [15.0]
        assert set(tx.execute(select(t.lead_tags.c.lead_id, t.lead_tags.c.tag)).all()) == {
            (known, "vip"),
            (known, "reader"),
        }


def test_s27_a_running_settle_timer_runs_on(db: Database) -> None:
    _, known, visit = merged(db)
    with db.write() as tx:
        for lead, at in ((known, NOW - timedelta(hours=2)), (visit, NOW - timedelta(hours=1))):
            due = at + timedelta(hours=3)
            values = {"shard": 0, "kind": "settle", "owner": "cart", "key": "c1", "due": due, "at": at}
            insert_rows(tx, t.timers, [{"lead_id": lead, **values}])
    say(db, identify("u1", anonymous="a1"))
    with db.read() as tx:
        rows = tx.execute(select(t.timers.c.lead_id, t.timers.c.at, t.timers.c.shard)).all()
    assert rows == [(known, NOW - timedelta(hours=1), shard_of(known))]


def test_a_thousand_people_come_in_one_batch(db: Database) -> None:
    answers = say(db, *[identify(f"u{n % 500}", email=f"p{n % 500}@example.com", visits=n) for n in range(1000)])
    assert len({a.lead for a in answers}) == 500
    assert row(db, answers[0].lead)["attributes"] == {"visits": 500}


def test_two_endpoints_that_meet_the_same_people_make_each_once(db: Database) -> None:
    def come(start: int) -> None:
        calls = [identify(f"u{n}", email=f"p{n}@example.com", **{f"by{start}": n}) for n in range(start, start + 60)]
        for _ in range(20):
            try:
                say(db, *calls)
            except LostRace:
                continue
            return
        raise AssertionError("lost every race")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come, (0, 20, 40, 0)))
    assert count(db, t.leads) == 100
    with db.read() as tx:
        [attributes] = tx.execute(select(t.leads.c.attributes).where(t.leads.c.external_id == "u45")).scalars()
    assert attributes == {"by0": 45, "by20": 45, "by40": 45}


def test_s27_merged_points_decay_as_points_do_that_are_added(db: Database) -> None:
    """One half-life of a month, whoever reckons with it: the older sum halves in a mean month."""
    month = timedelta(seconds=Duration(months=1).mean_seconds())
    world = World(db)
    known, visit = world.lead(), world.lead()
    world.score(known, "interest", 8, NOW - month)
    world.score(visit, "interest", 1, NOW)
    project = Project(scores={"interest": Score("interest", half_life=Duration(months=1))})
    with db.write() as tx:
        merge_rows(tx, known, visit, project, NOW)
        assert tx.execute(select(t.lead_scores.c.value)).scalars().all() == [5.0]

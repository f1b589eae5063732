"""A rehearsal is what will happen: each lead's time apart, the same output for the same input (S34–S36)."""

from __future__ import annotations

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.engine import rehearse
from nurture.store.database import Database, open_database
from nurture.store.tables import metadata
from tests.journeys.world import Did, Site, Story, did, instant, offset, person, tell

CAMPAIGNS = (
    """
    campaign: cart
    topic: offers
    priority: 60
    enter:
      event: cart_updated
      key: cart_id
      settle: 1h
      unless: {event: order_completed, same: cart_id}
      again: {after: 2d, at_most: 3, per: 30d}
    goal: {event: order_completed, same: cart_id, value: total, move: customer}
    exit: {event: cart_emptied, same: cart_id}
    window: {days: mon-sat, between: "09:00-20:00"}
    steps:
      - send: reminder
      - wait: 1d
      - split: {plain: 50%, coupon: 30%, holdout: 20%}
        arms: {plain: [{send: second}], coupon: [{send: coupon}]}
      - wait_for: {event: login, up_to: 2d}
        then: [{tag: back}]
        else: [{score: {interest: -5}}]
    """,
    """
    campaign: idle
    topic: news
    enter: {match: {did: {event: login}, did_not: {event: login, within: 2d}}, existing: skip, again: {after: 1d}}
    goal: {match: {did: {event: login, since_entry: true}}}
    steps: [{send: miss-you}, {repeat: {every: 1d, at_most: 2, while: {stage: [lead, mql]}, steps: [{tag: idle}]}}]
    """,
    """
    campaign: hot
    topic: offers
    enter: {event: score.crossed, where: {direction: up}, again: {after: 1d}}
    steps: [{move: sql}, {notify: {to: sales, template: internal/hot}}]
    """,
)
MORE = """
scores:
  interest:
    half_life: 3d
    rules: [{event: visit, points: 20}, {event: login, points: 10}]
    thresholds: {hot: {at: 45, hysteresis: 15}}
caps: {marketing: {at_most: 2, per: 4d}}
"""
NAMES = st.sampled_from(["cart_updated", "order_completed", "cart_emptied", "login", "visit"])


@st.composite
def histories(draw: st.DrawFn, most: int = 14, leads: int = 3) -> list[Did]:
    """What some leads did in ten days, to the minute."""
    found = []
    for _ in range(draw(st.integers(1, most))):
        minutes = draw(st.integers(0, 14_400))
        properties = {"cart_id": draw(st.sampled_from("ab")), "total": draw(st.integers(1, 90))}
        name = draw(NAMES)
        found.append(did(f"{minutes}m" if minutes else "0h", name, draw(st.integers(0, leads - 1)), **properties))
    return sorted(found, key=lambda e: instant(e.at))


def bytes_of(story: Story) -> bytes:
    """Everything that happened. Rows are named by what they are, not by their number."""
    names = {lead: n for n, lead in enumerate(story.leads)}
    lines = [(x.at, names[x.lead], x.what, x.reason, x.detail, x.campaign, x.step, x.inputs) for x in story.lines]
    left = [(m.at, names.get(m.lead), m.kind, m.template, m.step, m.state) for m in story.left]
    ends = [(names[lead], state, reason, entered) for lead, state, reason, entered in story.ended]
    return msgspec.json.encode((lines, left, ends))


def told(events: list[Did], leads: int = 3) -> Story:
    return tell(*CAMPAIGNS, events=events, people=[person(n) for n in range(leads)], more=MORE, until="40d")


@settings(max_examples=6, deadline=None)
@given(histories())
def test_s35_equal_input_gives_equal_output_byte_for_byte(events: list[Did]) -> None:
    assert bytes_of(told(events)) == bytes_of(told(list(events)))


@settings(max_examples=6, deadline=None)
@given(histories())
def test_s34_each_lead_alone_lives_as_among_the_others(events: list[Did]) -> None:
    together = told(events)
    for who in range(3):
        mine = [Did(e.at, e.name, e.properties, 0) for e in events if e.who == who]
        alone = tell(*CAMPAIGNS, events=mine, people=[person(who)], more=MORE, until="40d")
        assert alone.said(*WORDS, who=0) == together.said(*WORDS, who=who)


WORDS = ("entered", "not_entered", "released", "deferred", "skipped", "moved", "tagged", "came", "drew", "ended")


@settings(max_examples=5, deadline=None)
@given(histories(), st.integers(1, 3))
def test_s34_how_many_leads_are_played_at_once_changes_nothing(events: list[Did], batch: int) -> None:
    whole = told(events)
    kept, rehearse.BATCH = rehearse.BATCH, batch
    try:
        assert bytes_of(told(events)) == bytes_of(whole)
    finally:
        rehearse.BATCH = kept


REACTING = """
    campaign: stays
    topic: offers
    enter: {event: cart_updated, key: cart_id, settle: 1h, unless: {event: order_completed, same: cart_id}}
    goal: {event: order_completed, same: cart_id}
    exit: [{event: cart_emptied, same: cart_id}, {match: {did_not: {event: visit, within: 1d}, did: {event: visit}}}]
    steps: [{wait: 90d}]
"""
IDLE = """
    campaign: idle
    topic: offers
    enter: {match: {did: {event: login}, did_not: {event: login, within: 2d}}, existing: skip, again: {after: 1d}}
    exit: {event: login}
    steps: [{wait: 90d}]
"""
CROSSES = """
    campaign: crosses
    topic: offers
    enter: {event: score.crossed, again: {after: 1h}}
    exit: {event: order_completed}
    steps: [{wait: 90d}]
"""


# Two visits cross the threshold on a full page; the purchase on the next one came before that crossing was heard.
BEHIND = [
    did("10m", "login", who=1),
    did("20m", "cart_updated", cart_id="a", total=9),
    did("30m", "visit", who=1),
    did("40m", "visit", who=1),
    did("50m", "order_completed", cart_id="b"),
    did("2h", "order_completed", who=1, cart_id="a"),
    *(did(f"{hour}h", "login", who=2) for hour in range(3, 8)),
]


def reacted(events: list[Did], passes: list[int], limit: int) -> bytes:
    """What reaction passes after these minutes, and one at the end, made of the events; each pass comes after all that
    was accepted before it."""
    db = open_database("sqlite://", durable=False)
    metadata.create_all(db.engine)
    site = Site(db, more=MORE)
    site.join(*(person(n) for n in range(3)))
    site.deploy(REACTING, IDLE, CROSSES)
    due = sorted(instant(f"{minute}m") for minute in passes)
    for e in events:
        while due and due[0] < instant(e.at):
            site.react(due[0] - instant("0h"), limit)
            due.pop(0)
        site.happens(e.at, e.name, e.who, **e.properties)
    site.react("20d", limit)
    story = site.story()
    db.close()
    names = {lead: n for n, lead in enumerate(story.leads)}
    lines = sorted((x.at, names[x.lead], x.campaign, x.what, x.reason or "") for x in story.lines)
    return msgspec.json.encode((lines, sorted((names[e[0]], e[1], e[2] or "", e[3]) for e in story.ended)))


@settings(max_examples=25, deadline=None)
@example([did("0h", "cart_updated", cart_id="a", total=1)] * 3, [], 2)  # a quiet ended before its third event was read
@example(BEHIND, [], 5)
@given(histories(), st.lists(st.integers(1, 14_400), max_size=6), st.sampled_from([2, 5, 1_000]))
def test_s36_one_late_pass_and_many_passes_in_time_make_the_same_of_a_history(
    events: list[Did], passes: list[int], limit: int
) -> None:
    assert reacted(events, passes, limit) == reacted(events, [], 1_000)


def test_s35_the_transport_takes_no_time_and_the_server_takes_every_mail() -> None:
    story = tell(
        "campaign: c\ntopic: offers\nenter: {event: signup}\nsteps: [{send: a}, {send: b}]\n",
        events=[did("0h", "signup")],
    )
    assert ([m.state for m in story.left], story.sent()) == (["sent", "sent"], ["a at 0h", "b at 0h"])


CALLS = """
    campaign: c
    topic: offers
    enter: {event: signup}
    steps:
      - call: {webhook: gifts, body: {to: "{{ lead.email }}"}}
      - branch: [{if: {lead: {size: {set: true}}}, steps: [{tag: sized}]}]
      - tag: after
"""


def test_s35_a_webhook_without_an_answer_fails() -> None:
    story = tell(CALLS, events=[did("0h", "signup")])
    assert story.said("answered", "call_failed", "tagged")[0].startswith("call_failed gifts")


def test_s35_a_webhook_with_an_answer_answers() -> None:
    story = tell(CALLS, events=[did("0h", "signup")], answers={"gifts": {"code": "X"}})
    assert story.said("answered", "call_failed", "tagged") == ["answered gifts at 0h", "tagged after at 0h"]


def test_s36_a_tie_goes_by_the_campaigns_name(db: Database) -> None:
    site = Site(db)
    site.join(person())
    texts = [f"campaign: {n}\ntopic: offers\nenter: {{event: login}}\nsteps: [{{tag: {n}}}]\n" for n in ("b", "a", "c")]
    site.deploy(*texts)
    site.happens("0h", "login")
    site.run("0h")
    assert [line.campaign for line in site.story().lines if line.what == "tagged"] == ["a", "b", "c"]
    assert offset(instant("1h")) == "1h"

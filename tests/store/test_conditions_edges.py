"""When time alone may change an answer: never later than it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.campaign.condition import (
    All,
    Condition,
    Consented,
    Did,
    Field,
    InStageFor,
    Mailed,
    Moment,
    Not,
    Relative,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.project import Funnel, Project, Score, Stage
from nurture.store.batch import Calendar
from nurture.store.conditions import Asker, Row
from nurture.store.conditions_edges import TICK, crossing
from nurture.store.database import Database
from nurture.store.types import instant_text
from tests.store.people import DAY, NOW, World

HOUR = timedelta(hours=1)
PROJECT = Project(
    funnels={"main": Funnel("main", (Stage("lead"), Stage("mql")))},
    scores={"interest": Score("interest", half_life=Duration(days=30)), "flat": Score("flat")},
)


def length(text: str) -> Duration:
    found = read_duration(text)
    assert found is not None
    return found


def date_test(name: str, op: str, given: str) -> Field:
    return Field("lead", (name,), (Test(op, Relative(length(given))),), "date")  # type: ignore[arg-type]


def test_what_holds_no_relative_time_has_no_edge(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead(plan="pro", renewal="2026-04-01")
    world.event(lead, "bought")
    fixed = Field("lead", ("renewal",), (Test("before", Moment("2026-05-01")),), "date")
    assert world.edge(All((Tagged("vip"), Did("bought", at_least=2), fixed, Not(Mailed("sent")))), lead) is None


def test_a_window_turns_when_its_oldest_event_leaves_it(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    assert world.edge(Did("bought", within=length("36h")), lead) is None
    world.event(lead, "bought", NOW - 30 * HOUR)
    world.event(lead, "bought", NOW - 40 * HOUR)
    world.event(lead, "bought", NOW - HOUR)
    assert world.edge(Did("bought", within=length("36h")), lead) == NOW + 6 * HOUR
    assert world.edge(Not(Did("bought", within=length("36h"), at_most=1)), lead) == NOW + 6 * HOUR


def test_a_mail_in_a_window_turns_likewise(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    world.mail(lead, clicked_at=NOW - HOUR)
    assert world.edge(Mailed("clicked", within=length("3h")), lead) == NOW + 2 * HOUR


def test_a_stage_turns_when_it_has_been_stood_in_that_long(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    world.stands(lead, "lead", NOW - HOUR)
    assert world.edge(InStageFor(at_least=length("24h")), lead) == NOW + 23 * HOUR
    assert world.edge(InStageFor(at_most=length("24h")), lead) == NOW + 23 * HOUR + TICK
    assert world.edge(InStageFor(at_least=length("30m")), lead) is None


def test_a_calendar_day_is_a_day_of_the_leads_zone(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    before_summer_time = datetime(2026, 3, 28, 12, tzinfo=UTC)  # 13:00 in Paris
    world.stands(lead, "lead", before_summer_time)
    edge = world.edge(InStageFor(at_least=length("1d")), lead, as_of=before_summer_time)
    assert edge == datetime(2026, 3, 29, 11, tzinfo=UTC)


def test_a_date_turns_at_local_midnight(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead(renewal="2026-03-20")
    assert world.edge(date_test("renewal", "in_next", "7d"), lead) == datetime(2026, 3, 12, 23, tzinfo=UTC)


def test_an_anniversary_comes_and_goes(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead(birthday="1990-03-20")
    comes = datetime(2026, 3, 12, 23, tzinfo=UTC)
    assert world.edge(date_test("birthday", "anniversary_in", "7d"), lead) == comes
    inside = datetime(2026, 3, 20, 12, tzinfo=UTC)
    goes = world.edge(date_test("birthday", "anniversary_in", "7d"), lead, as_of=inside)
    assert goes == datetime(2026, 3, 20, 23, tzinfo=UTC)


def test_a_dirty_date_has_no_edge(db: Database) -> None:
    world = World(db, PROJECT)
    for dirty in ("soon", "2026-02-31", 5, None, "9999-99-99"):
        lead = world.lead(renewal=dirty)
        assert world.edge(date_test("renewal", "in_next", "7d"), lead) is None


def test_consent_turns_when_it_runs_out(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    world.consent(lead, "offers", expires_at=NOW + DAY)
    assert world.edge(Consented("offers"), lead) == NOW + DAY


def test_a_decaying_score_is_looked_at_again_within_the_hour(db: Database) -> None:
    world = World(db, PROJECT)
    lead, idle = world.lead(), world.lead()
    world.score(lead, "interest", 40.0)
    world.score(lead, "flat", 40.0)
    assert world.edge(ScoreIs("interest", (Test("at_least", 20),)), lead) == NOW + HOUR
    assert world.edge(ScoreIs("interest", (Test("at_least", 20),)), idle) is None
    assert world.edge(ScoreIs("flat", (Test("at_least", 20),)), lead) is None


def test_s05_a_relative_time_inside_an_event_is_asked_every_quarter_of_an_hour(db: Database) -> None:
    world = World(db, PROJECT)
    lead = world.lead()
    soon = Field("event", ("starts_at",), (Test("in_next", Relative(length("2h"))),), "date")
    assert world.edge(Did("booked", where=soon), lead) == NOW + timedelta(minutes=15)


ZONES = [
    "Europe/Paris",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
]
# Around both changes of clocks in Paris, a leap day and the ends of months.
BASES = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)]
instants = st.builds(
    lambda base, minutes: base + timedelta(minutes=minutes), st.sampled_from(BASES), st.integers(-4000, 4000)
)
lengths = st.builds(
    Duration,
    months=st.integers(0, 2),
    days=st.integers(0, 40),
    workdays=st.integers(0, 3),
    seconds=st.integers(0, 90_000),
)
CALENDAR = Calendar()


@settings(max_examples=150, deadline=None)
@given(base=instants, as_of=instants, length=lengths, back=st.booleans(), zone=st.sampled_from(ZONES))
def test_nothing_crosses_before_the_instant_named(
    base: datetime, as_of: datetime, length: Duration, back: bool, zone: str
) -> None:
    offset = length.negated() if back else length
    found = crossing(base, as_of, offset, zone, CALENDAR)
    before = CALENDAR.shift(as_of, offset, zone) >= base
    end = found or as_of + 100 * DAY
    step = max((end - as_of) / 200, timedelta(minutes=7))
    looks = [as_of + step * n for n in range(200) if as_of + step * n < end] + [end - TICK]
    near = [as_of + timedelta(minutes=10 * n) for n in range(40) if as_of + timedelta(minutes=10 * n) < end]
    turned = [at for at in looks + near if at > as_of and (CALENDAR.shift(at, offset, zone) >= base) is not before]
    assert turned == []
    assert found is None or found > as_of


def questions() -> list[Condition]:
    found: list[Condition] = [
        Did("bought", within=length("1d"), at_least=2),
        Did("bought", within=length("1mo")),
        Did("bought", within=length("26h"), sum="total", at_most=15),
        Mailed("sent", within=length("2d")),
        InStageFor(at_least=length("1d")),
        InStageFor(more_than=length("3h"), less_than=length("1mo")),
        InStageFor(at_most=length("2bd")),
        Consented("offers"),
    ]
    for name in ("renewal", "call_at"):
        for op in ("before", "after", "at_least", "at_most", "more_than", "less_than", "is"):
            found += [date_test(name, op, "-1d"), date_test(name, op, "1d3h")]
        found += [
            date_test(name, "in_last", "1d"),
            date_test(name, "in_next", "36h"),
            date_test(name, "in_next", "1mo"),
        ]
        found.append(date_test(name, "anniversary_in", "3d"))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.sampled_from(questions()),
    dated=st.lists(instants, min_size=7, max_size=7),
    totals=st.lists(st.integers(0, 10), min_size=3, max_size=3),
    as_of=instants,
    zone=st.sampled_from(ZONES),
)
def test_no_answer_changes_before_its_edge(
    db: Database,
    question: Condition,
    dated: list[datetime],
    totals: list[int],
    as_of: datetime,
    zone: str,
) -> None:
    world, asker = World(db, PROJECT), Asker(PROJECT)
    *happened, called, expires = dated
    lead = world.lead(renewal=called.date().isoformat(), call_at=instant_text(called))
    for at, total in zip(happened[:3], totals, strict=True):
        world.event(lead, "bought", at, total=total)
    world.mail(lead, sent_at=happened[3])
    world.stands(lead, "lead", happened[4])
    world.consent(lead, "offers", expires_at=expires)
    # What has not happened yet is no change by time alone: whoever makes it happen asks again.
    quiet = min((at for at in happened if at > as_of), default=as_of + 70 * DAY)
    with db.read() as tx:
        [((answer,), edge)] = asker.ask_edges(tx, [question], [Row(lead, as_of, zone)])
        end = min(edge or quiet, quiet)
        looks = [as_of + (end - as_of) * n / 60 for n in range(1, 60)] + [end - TICK]
        looks += [as_of + timedelta(minutes=30 * n) for n in range(1, 40)]
        rows = [Row(lead, at, zone) for at in looks if as_of < at < end]
        later = asker.ask(tx, [question], rows)
    assert [row.as_of for row, (found,) in zip(rows, later, strict=True) if found is not answer] == []
    assert edge is None or edge > as_of

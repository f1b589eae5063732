from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.funnel.metrics import Journey, StageFigures, Visit, bottleneck, report, share, time_until, wilson, won_at

START = datetime(2026, 3, 2, tzinfo=UTC)
STAGES = ("lead", "mql", "customer")


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def journey(*visits: tuple[int, float], won: tuple[float, ...] = (), **more: object) -> Journey:
    made = Journey("anna", tuple(Visit(stage, day(at)) for stage, at in visits), won=tuple(map(day, won)))
    here = visits[-1][0] if visits else None
    return Journey(**{**{f: getattr(made, f) for f in ("name", "visits", "won")}, "here": here, **more})  # type: ignore[arg-type]


def test_a_share_of_nothing_is_none() -> None:
    assert share(0, 0) is None


def test_wilson_agrees_with_the_published_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (part, whole), expected in published.items():
        assert wilson(part, whole) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    part, whole = counts
    interval = wilson(part, whole)
    assert interval is not None
    assert 0 <= interval[0] <= part / whole + 1e-12
    assert part / whole - 1e-12 <= interval[1] <= 1


def test_kaplan_meier_agrees_with_the_remission_times_of_freireich() -> None:
    # 6-MP group of Freireich et al. 1963, the textbook example: median 23 weeks, 12 of 21 censored.
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    running = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    durations = [(float(n), True) for n in ended] + [(float(n), False) for n in running]
    assert time_until(durations, 0.5) == 23


def test_a_median_counts_those_still_open_as_not_yet_through() -> None:
    assert time_until([(1, True), (2, True), (9, False), (9, False), (9, False)], 0.5) is None


def test_without_anyone_open_the_median_is_the_plain_one() -> None:
    assert time_until([(float(n), True) for n in (1, 2, 3, 4, 5)], 0.5) == 3


def test_exactly_half_through_is_a_median() -> None:
    assert time_until([(1, True), (5, False)], 0.5) == 1


def test_nobody_has_no_time() -> None:
    assert time_until([], 0.5) is None


def test_a_stage_counts_who_entered_who_stands_there_and_who_went_on() -> None:
    found = report(STAGES, [journey((0, 0), (1, 2)), journey((0, 0)), journey((0, 1), (2, 3))], day(10), last_wins=True)
    first = found.stages[0]
    assert (first.entered, first.now_here, first.advanced, first.open) == (3, 1, 2, 1)


def test_stage_times_run_from_entering_to_going_on() -> None:
    found = report(STAGES, [journey((0, 0), (1, 2)), journey((0, 1), (1, 5))], day(10), last_wins=True)
    assert (found.stages[0].median_days, found.stages[0].p90_days) == (2, 4)


def test_a_skipped_stage_was_not_entered() -> None:
    found = report(STAGES, [journey((0, 0), (2, 1))], day(10), last_wins=True)
    assert [s.entered for s in found.stages] == [1, 0, 1]


def test_arriving_in_the_last_of_several_stages_is_winning() -> None:
    found = report(STAGES, [journey((0, 0), (2, 3)), journey((0, 0))], day(10), last_wins=True)
    assert (found.overall.won, found.overall.conversion, found.overall.median_cycle_days) == (1, 0.5, 3)


def test_arriving_in_the_only_stage_is_not_winning() -> None:
    assert report(("mql",), [journey((0, 0))], day(10), last_wins=True).overall.won == 0


def test_a_won_deal_wins_its_lead_and_leads_out_of_the_stage() -> None:
    found = report(("mql",), [journey((0, 0), won=(4,)), journey((0, 0))], day(10), last_wins=True)
    stage = found.stages[0]
    assert (found.overall.won, stage.advanced, stage.open, stage.now_here) == (1, 1, 1, 2)


def test_a_lead_won_before_its_first_contact_is_counted_named_and_left_out_of_times() -> None:
    found = report(("mql",), [journey((0, 5), won=(1,)), journey((0, 0), won=(4,))], day(10), last_wins=True)
    assert (found.odd, found.overall.won, found.overall.mean_cycle_days) == (("anna",), 2, 4)


def test_of_several_deals_the_first_after_the_first_contact_counts() -> None:
    assert won_at(journey((0, 5), won=(1, 9, 7)), None) == (True, day(7))


def test_times_are_in_fractional_days() -> None:
    found = report(("mql",), [journey((0, 0), won=(0.25,))], day(10), last_wins=True)
    assert found.overall.median_cycle_days == 0.25


def test_a_lead_moved_back_is_not_open_and_not_through() -> None:
    found = report(STAGES, [journey((1, 0), (0, 3))], day(10), last_wins=True)
    assert (found.stages[1].open, found.stages[1].advanced, found.stages[1].median_days) == (0, 0, None)


LEAVING = ("lead", "mql", "customer", "lapsed")


def test_who_has_left_is_neither_a_step_forward_nor_won() -> None:
    lost = journey((1, 0), (3, 5))
    told = report(LEAVING, [lost, journey((1, 0), (2, 4))], day(9), last_wins=True, left=[3])
    assert (told.stages[1].advanced, told.stages[1].open) == (1, 0)
    assert told.overall.won == 1


def test_who_was_won_and_left_stays_won() -> None:
    told = report(LEAVING, [journey((1, 0), (2, 4), (3, 30))], day(40), last_wins=True, left=[3])
    assert (told.overall.won, told.overall.median_cycle_days) == (1, 4)
    assert (told.stages[2].open, told.stages[3].advanced) == (0, 0)


def test_who_comes_back_gets_through_the_stage_that_is_left() -> None:
    told = report(LEAVING, [journey((1, 0), (3, 5), (1, 12))], day(20), last_wins=True, left=[3])
    assert (told.stages[3].advanced, told.stages[3].median_days) == (1, 7)


def test_a_stage_that_is_left_is_no_bottleneck() -> None:
    told = report(
        LEAVING, [journey((0, 0), (1, 1), (3, 5)), journey((0, 0), (1, 1), (2, 5))], day(9), last_wins=True, left=[3]
    )
    assert told.bottleneck == "mql"


def test_an_empty_source_is_its_own_row_beside_unknown() -> None:
    journeys = [journey((0, 0), source=""), journey((0, 0), source="unknown"), journey((0, 0), source="unknown")]
    found = report(STAGES, journeys, day(10), last_wins=True)
    assert [(s.source, s.entered) for s in found.by_source] == [("unknown", 2), ("", 1)]


def test_a_stage_without_an_instant_counts_and_gives_no_time() -> None:
    deal = journey(won=(4,), untimed=(0,))
    found = report(("demo",), [deal], day(10), last_wins=False)
    assert (found.stages[0].entered, found.stages[0].advanced, found.stages[0].median_days) == (1, 1, None)


def test_a_lost_deal_is_neither_open_nor_through() -> None:
    found = report(("demo", "close"), [journey((0, 0), lost_at=day(3), here=None)], day(10), last_wins=False)
    assert (found.stages[0].open, found.stages[0].advanced) == (0, 0)


def figures(stage: str, entered: int, advanced: int) -> StageFigures:
    return StageFigures(stage, entered, 0, advanced, share(advanced, entered), None, None, entered - advanced)


def test_the_bottleneck_is_where_fewest_get_through() -> None:
    stages = [figures("lead", 1000, 500), figures("mql", 500, 50), figures("customer", 50, 0)]
    assert bottleneck(stages) == "mql"


def test_three_unlucky_leads_are_no_bottleneck() -> None:
    stages = [figures("lead", 1000, 100), figures("mql", 3, 0), figures("customer", 0, 0)]
    assert bottleneck(stages) == "lead"


def test_a_funnel_nobody_entered_has_no_bottleneck() -> None:
    assert bottleneck([figures("lead", 0, 0), figures("customer", 0, 0)]) is None

"""What conditions read, what effects change, and which conditions a pass may ask."""

from __future__ import annotations

import pytest

from nurture.campaign import condition as c
from nurture.campaign import plan as p
from nurture.campaign.project import Project, Score, ScoreRule, Topic
from nurture.journey import effects
from nurture.journey.decide import decide
from nurture.journey.reads import Route, event_touches, facets, route, segment, touches
from tests.unit.journey.made import CLICKED, CUSTOMER, MONDAY, PROJECT, TAGGED, d, enrolled, exit_if, goal, mail, plan
from tests.unit.journey.made import facts as known

LOOP = c.InSegment("loop")
RICH = Project(
    segments={"fans": c.All((TAGGED, c.Did("order"))), "loop": c.Any((LOOP, TAGGED))},
    scores={
        "interest": Score(
            "interest",
            rules=(ScoreRule(5, event="page_viewed"), ScoreRule(3, condition=c.Consented("news"))),
            half_life=d("30d"),
        )
    },
    topics={"news": Topic("news"), "brief": Topic("brief", expires_after=d("2y"))},
)


def field(scope: c.Scope, *tests: c.Test) -> c.Field:
    return c.Field(scope, ("x",), tests or (c.Test("is", 1),))


class TestFacets:
    @pytest.mark.parametrize(
        ("condition", "read"),
        [
            (CUSTOMER, {"stage"}),
            (c.InStage(("x",), by_account=True), {"stage", "account"}),
            (c.InStageFor(at_least=d("1d")), {"stage", "time"}),
            (TAGGED, {"tag"}),
            (c.Did("order"), {"event:order"}),
            (c.Did("any", within=d("3d")), {"event:*", "time"}),
            (c.Did("order", by_account=True), {"event:order", "account"}),
            (c.Consented("news"), {"consent"}),
            (c.Consented("brief"), {"consent", "time"}),
            (c.Mailed("clicked", within=d("3d")), {"mail", "time"}),
            (c.DealIs(open=True), {"deal"}),
            (c.Enrolled("finished", "c"), {"enrollment"}),
            (c.ScoreIs("interest", ()), {"score", "time", "event:page_viewed", "consent"}),
            (c.ScoreIs("gone", ()), {"score"}),
            (c.InSegment("fans"), {"tag", "event:order"}),
            (LOOP, {"tag"}),
            (field("lead"), {"lead"}),
            (field("entry"), {"entry"}),
            (field("event"), set()),
            (field("lead", c.Test("before", c.Relative(d("1d")))), {"lead", "time"}),
            (field("lead", c.Test("between", (c.Relative(d("1d")), c.Relative(d("2d"))))), {"lead", "time"}),
            (field("lead", c.Test("anniversary_in", c.Relative(d("7d")))), {"lead", "time"}),
            (field("account", c.Test("any", (), (field("element", c.Test("in_last", "1d")),))), {"account", "time"}),
            (field("lead", c.Test("after", c.Moment("2026-01-01"))), {"lead"}),
            (c.Not(c.Any((CUSTOMER, TAGGED))), {"stage", "tag"}),
        ],
    )
    def test_a_condition_names_all_it_reads(self, condition: c.Condition, read: set[str]) -> None:
        assert facets(condition, RICH) == read

    def test_s19_every_effect_that_changes_the_lead_touches_what_reads_it(self) -> None:
        move = effects.MoveStage(step="s", visit=0, stage="x", funnel="f", origin=None, reason=None)
        assert touches(move) & facets(CUSTOMER, RICH)
        assert touches(effects.AddTag(step="s", visit=0, tag="x")) & facets(TAGGED, RICH)
        assert touches(effects.AddScore(step="s", visit=0, points={})) & facets(c.ScoreIs("interest", ()), RICH)
        assert touches(effects.SetFields(step="s", visit=0, values={})) & facets(field("lead"), RICH)
        assert touches(effects.ExpireConsent(step="s", visit=0, topic="t")) & facets(c.Consented("news"), RICH)
        assert touches(effects.EnrollIn(step="s", visit=0, campaign="c")) & facets(c.Enrolled("finished", "c"), RICH)
        assert touches(effects.MoveDeal(step="s", visit=0, stage="won", pipeline=None)) & facets(c.DealIs(), RICH)

    def test_s25_a_release_touches_nothing(self) -> None:
        of = plan(mail("a"))
        (release,) = decide(of, enrolled(of), known(), MONDAY).effects
        assert isinstance(release, effects.Release)
        assert not touches(release)

    @pytest.mark.parametrize(
        ("event", "changed"),
        [
            ("order", {"event:order", "event:*"}),
            ("mail.clicked", {"event:mail.clicked", "mail", "consent"}),
            ("stage.entered", {"event:stage.entered", "stage"}),
            ("form.submitted", {"event:form.submitted"}),
        ],
    )
    def test_an_event_names_what_it_changes(self, event: str, changed: set[str]) -> None:
        assert event_touches(event) == changed


class TestSegments:
    CONDITIONS = (CLICKED, TAGGED, CUSTOMER)

    def of(self, *steps: p.AnyStep, linked: bool = True, **more: object) -> p.Plan:
        return plan(*steps, conditions=self.CONDITIONS, linked=linked, **more)

    def test_it_ends_at_the_next_wait(self) -> None:
        of = self.of(mail("a", only_if=0), p.Wait(id="w", duration=d("1d"), only_if=1), mail("b", only_if=2))
        assert segment(of, 0) == (0, 1, 2)  # the wait's own `if` may be false and be passed over

    def test_a_wait_without_an_if_is_its_end(self) -> None:
        of = self.of(mail("a", only_if=0), p.Wait(id="w", duration=d("1d")), mail("b", only_if=2))
        assert segment(of, 0) == (0,)

    def test_from_a_wait_it_goes_on_behind_it(self) -> None:
        of = self.of(mail("a", only_if=0), p.Wait(id="w", duration=d("1d")), mail("b", only_if=2))
        assert segment(of, 1) == (2,)

    def test_goal_and_exits_are_always_in_it_and_first(self) -> None:
        of = self.of(mail("a", only_if=0), goal=goal(2), exits=(exit_if(1),))
        assert segment(of, 0) == (2, 1, 0)

    def test_both_ways_out_of_a_wait_for_are_in_it(self) -> None:
        wait = p.WaitFor(id="w", trigger=p.Trigger(match=0), up_to=d("1d"), then=1, otherwise=2)
        of = self.of(wait, mail("yes", only_if=1), mail("no", only_if=2), linked=False)
        assert set(segment(of, 0)) == {0, 1, 2}

    def test_a_wait_for_further_on_may_be_true_at_once_but_not_be_over(self) -> None:
        wait = p.WaitFor(id="w", trigger=p.Trigger(match=0), up_to=d("1d"), then=2, otherwise=3)
        of = self.of(mail("a", next=1), wait, mail("yes", only_if=1), mail("no", only_if=2), linked=False)
        assert set(segment(of, 0)) == {0, 1}

    def test_a_round_of_a_repeat_is_in_it(self) -> None:
        repeat = p.Repeat(id="r", every=d("1d"), at_most=2, body=1, while_=0, next=2)
        of = self.of(repeat, mail("a", only_if=1, next=0), mail("b", only_if=2), linked=False)
        assert set(segment(of, 0)) == {0, 1, 2}

    def test_all_arms_and_the_else_are_in_it(self) -> None:
        branch = p.Branch(id="b", arms=((0, 1),), otherwise=2, next=-1)
        of = self.of(branch, mail("a", only_if=1), mail("b", only_if=2), linked=False)
        assert set(segment(of, 0)) == {0, 1, 2}

    def test_all_arms_of_a_split_are_in_it(self) -> None:
        split = p.Split(id="s", arms=(("a", 50.0, 1), ("b", 50.0, 2)))
        of = self.of(split, mail("a", only_if=0), mail("b", only_if=1), linked=False)
        assert set(segment(of, 0)) == {0, 1}

    def test_nothing_follows_an_exit_step(self) -> None:
        assert segment(self.of(p.Leave(id="x", reason="r"), mail("a", only_if=0)), 0) == ()


class TestRoutes:
    def test_a_route_is_made_once_for_a_plan_and_a_project(self) -> None:
        of = plan(mail("a"))
        assert route(of, PROJECT) is route(of, PROJECT)

    def test_s33_a_new_live_project_makes_a_new_route(self) -> None:
        of = plan(mail("a"))
        assert route(of, PROJECT) is not route(of, Project())

    def test_what_is_watched_says_whether_time_alone_may_turn_it(self) -> None:
        of = plan(mail("a"), conditions=(c.Did("order", within=d("3d")),), goal=goal(0))
        assert Route(of, PROJECT).watched_facets(0) == {"event:order", "time"}

    def test_a_segment_is_remembered(self) -> None:
        made = Route(plan(mail("a", only_if=0), conditions=(CLICKED,)), PROJECT)
        assert made.segment(0) is made.segment(0)

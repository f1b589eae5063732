"""Steps that change something or tell somebody."""

from __future__ import annotations

import msgspec
import pytest

from nurture.campaign import plan as p
from nurture.campaign.project import Alerts
from nurture.journey import effects
from nurture.journey.decide import decide
from nurture.journey.effects import Decision
from tests.unit.journey.made import MONDAY, PROJECT, enrolled, facts, kinds, names, plan

TEAMS = msgspec.structs.replace(
    PROJECT,
    teams={"sales": ("a@example.com", "b@example.com")},
    channels={"chat": "hook"},
    alerts=Alerts(fallback="boss@example.com"),
)


def done(step: p.AnyStep, **more: object) -> Decision:
    of = plan(step)
    return decide(of, enrolled(of, visit=3), facts(**more), MONDAY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "effect"),
    [
        (p.AddScore(id="s", points={"until": 10.0}), effects.AddScore(step="s", visit=3, points={"until": 10.0})),
        (p.SetFields(id="s", values={"role": "cfo"}), effects.SetFields(step="s", visit=3, values={"role": "cfo"})),
        (p.AddTag(id="s", tag_name="vip"), effects.AddTag(step="s", visit=3, tag="vip")),
        (p.RemoveTag(id="s", tag_name="vip"), effects.RemoveTag(step="s", visit=3, tag="vip")),
        (p.MoveDeal(id="s", stage="won"), effects.MoveDeal(step="s", visit=3, stage="won", pipeline=None)),
        (p.RequestConsent(id="s", topic="news"), effects.RequestConsent(step="s", visit=3, topic="news")),
        (p.ExpireConsent(id="s", topic="news"), effects.ExpireConsent(step="s", visit=3, topic="news")),
        (p.EnrollIn(id="s", campaign="other"), effects.EnrollIn(step="s", visit=3, campaign="other")),
        (p.Assign(id="s", team="sales"), effects.AssignOwner(step="s", visit=3, team="sales")),
        (
            p.OpenDeal(id="s", pipeline="sales", amount=9.0),
            effects.OpenDeal(step="s", visit=3, pipeline="sales", amount=9.0, owner=None),
        ),
    ],
)
def test_each_step_is_one_effect(step: p.AnyStep, effect: effects.AnyEffect) -> None:
    assert done(step).effects == (effect,)


class TestMoves:
    def test_a_move_says_where_from(self) -> None:
        assert done(p.Move(id="m", stage="mql"), stages={"shop": "lead"}).effects == (
            effects.MoveStage(step="m", visit=3, stage="mql", funnel="shop", origin="lead", reason=None),
        )

    def test_s32_a_refused_move_is_said_and_does_not_stop(self) -> None:
        decision = done(p.Move(id="m", stage="lead"), stages={"shop": "customer"})
        assert names(decision) == ["move_refused lead not allowed", "ended finished"]

    def test_s20_the_second_campaign_finds_the_lead_moved(self) -> None:
        assert names(done(p.Move(id="m", stage="mql"), stages={"shop": "mql"}))[0] == "move_refused mql already there"


class TestNotices:
    def to(self, to: str, **more: object) -> tuple[tuple[str, ...], str | None] | None:
        decision = done(p.Notify(id="n", to=to, template="internal/hot"), **{"project": TEAMS, **more})
        effect = decision.effects[0] if decision.effects else None
        return (effect.to, effect.channel) if isinstance(effect, effects.NotifyColleague) else None

    def test_the_owner_is_told(self) -> None:
        assert self.to("owner", owner="lea@example.com") == (("lea@example.com",), None)

    def test_without_an_owner_the_fallback_is_told(self) -> None:
        assert self.to("owner") == (("boss@example.com",), None)

    def test_without_owner_and_fallback_nobody_is_told_and_it_says_so(self) -> None:
        decision = done(p.Notify(id="n", to="owner", template="t"))
        assert (kinds(decision), names(decision)[0]) == ([], "not_notified t no owner")

    def test_a_team_is_told_to_the_last(self) -> None:
        assert self.to("sales") == (("a@example.com", "b@example.com"), None)

    def test_a_channel_is_told_through_its_webhook(self) -> None:
        assert self.to("chat") == ((), "hook")

    def test_an_address_is_told(self) -> None:
        assert self.to("zoe@example.com") == (("zoe@example.com",), None)

    def test_a_name_the_live_project_lost_tells_nobody(self) -> None:
        assert self.to("gone") is None


class TestOwners:
    def test_an_owner_already_there_stays(self) -> None:
        assert names(done(p.Assign(id="s", team="sales"), owner="lea@example.com"))[0] == (
            "not_assigned sales has an owner"
        )

    @pytest.mark.parametrize("written", [None, "owner"])
    def test_a_deal_goes_to_the_leads_owner(self, written: str | None) -> None:
        decision = done(p.OpenDeal(id="s", pipeline="sales", owner=written), owner="lea@example.com")
        assert [e.owner for e in decision.effects if isinstance(e, effects.OpenDeal)] == ["lea@example.com"]

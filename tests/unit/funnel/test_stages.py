"""Whether a move between stages is allowed."""

from __future__ import annotations

import pytest

from nurture.campaign.project import Funnel, Project, Stage
from nurture.funnel.stages import Allowed, MoveRefused, further, judge_move

SALES = Funnel("sales", (Stage("lead"), Stage("mql"), Stage("sql", moves=("mql",)), Stage("customer", moves=("lead",))))
CARE = Funnel("care", (Stage("new"), Stage("happy")))
PROJECT = Project(funnels={"sales": SALES, "care": CARE})


def code(stages: dict[str, str], to: str, reason: str | None = None) -> str | None:
    judged = judge_move(PROJECT, stages, to, reason)
    return judged.code if isinstance(judged, MoveRefused) else None


def test_s32_forward_by_one_is_allowed() -> None:
    assert judge_move(PROJECT, {"sales": "lead"}, "mql", None) == Allowed("sales", "lead")


def test_s32_forward_by_several_is_allowed() -> None:
    assert judge_move(PROJECT, {"sales": "lead"}, "customer", None) == Allowed("sales", "lead")


def test_the_first_move_may_go_anywhere() -> None:
    assert judge_move(PROJECT, {"care": "happy"}, "sql", None) == Allowed("sales", None)


def test_moving_to_where_it_stands_is_refused() -> None:
    assert code({"sales": "mql"}, "mql", "again") == "already there"


def test_s32_backwards_needs_the_stages_own_word() -> None:
    assert code({"sales": "sql"}, "lead", "lost") == "not allowed"


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_s32_backwards_needs_a_reason(reason: str | None) -> None:
    assert code({"sales": "sql"}, "mql", reason) == "no reason"


def test_s32_backwards_with_both_is_allowed() -> None:
    assert judge_move(PROJECT, {"sales": "sql"}, "mql", "lost deal") == Allowed("sales", "sql")


def test_a_stage_no_funnel_has_is_refused() -> None:
    assert code({}, "nowhere") == "unknown stage"


def test_s33_from_a_stage_the_live_project_lost_one_may_go_anywhere() -> None:
    assert judge_move(PROJECT, {"sales": "removed"}, "lead", None) == Allowed("sales", "removed")


def test_a_refusal_can_be_read_by_a_person() -> None:
    judged = judge_move(PROJECT, {"sales": "sql"}, "lead", None)
    assert isinstance(judged, MoveRefused)
    assert judged.text == "'sql' may not move back to 'lead': its 'moves' do not name it"


def test_s27_a_merged_lead_stands_at_the_further_stage_of_each_funnel() -> None:
    assert further(PROJECT, {"sales": "sql", "care": "new"}, {"sales": "mql", "care": "happy"}) == {
        "sales": "sql",
        "care": "happy",
    }


def test_s27_a_merge_keeps_a_stage_only_one_has() -> None:
    assert further(PROJECT, {"sales": "lead"}, {"gone": "x"}) == {"sales": "lead", "gone": "x"}

from __future__ import annotations

from nurture.campaign.project import DealStage, Pipeline
from nurture.funnel.pipeline import DealMoved, DealRefused, Expected, OpenDeal, forecast, judge_deal_move

SALES = Pipeline("sales", (DealStage("demo", 0.2), DealStage("closing")), won=("signed",), lost=("price", "silence"))


def refusal(outcome: str, stage: str, to: str, reason: str | None = None) -> str | None:
    verdict = judge_deal_move(SALES, outcome, stage, to, reason)
    return verdict.code if isinstance(verdict, DealRefused) else None


def test_an_open_deal_goes_to_another_stage_and_back() -> None:
    assert judge_deal_move(SALES, "open", "closing", "demo", None) == DealMoved("demo")


def test_a_closed_deal_stays_closed() -> None:
    assert refusal("won", "demo", "closing") == "closed"


def test_a_deal_does_not_move_to_where_it_stands() -> None:
    assert refusal("open", "demo", "demo") == "already there"


def test_an_unknown_stage_is_refused() -> None:
    assert refusal("open", "demo", "dmeo") == "unknown stage"


def test_losing_takes_one_of_the_named_reasons() -> None:
    assert refusal("open", "demo", "lost") == "reason"


def test_losing_with_a_named_reason_closes_the_deal() -> None:
    assert judge_deal_move(SALES, "open", "demo", "lost", "price") == DealMoved(None, "lost", "price")


def test_a_pipeline_without_reasons_asks_for_none() -> None:
    assert judge_deal_move(Pipeline("p", (DealStage("demo"),)), "open", "demo", "won", None) == DealMoved(None, "won")


def test_the_forecast_weighs_amounts_and_leaves_out_what_it_cannot_weigh() -> None:
    deals = [OpenDeal("demo", 100, "EUR"), OpenDeal("closing", 50, None), OpenDeal("demo", None, None)]
    assert forecast(SALES, deals, "EUR") == (Expected("EUR", 3, 150, 20, 2),)


def test_the_forecast_never_adds_up_currencies() -> None:
    found = forecast(SALES, [OpenDeal("demo", 100, "EUR"), OpenDeal("demo", 100, "CHF")], "EUR")
    assert [e.currency for e in found] == ["CHF", "EUR"]

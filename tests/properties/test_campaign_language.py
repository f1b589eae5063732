"""Whatever is written: no traceback; and what compiles survives its JSON."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.plan import END, Branch, Repeat, Split, WaitFor, canonical, load, version
from nurture.campaign.read import read_campaign, read_campaigns, read_project
from tests.unit.campaign.project import CONFIG, shop
from tests.unit.campaign.test_whole_campaign import WHOLE

MODEST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

simple = st.sampled_from(
    [
        "{wait: 2d}",
        "{wait: {until: '09:00', days: mon-fri}}",
        "{tag: x}",
        "{untag: x}",
        "{move: sql}",
        "{score: {interest: 5}}",
        "{set: {plan: gold}, if: {tag: y}}",
        "{assign: care}",
        "{consent: {expire: offers}}",
        "{call: {webhook: stock}}",
        "{deal: {open: sales}}",
    ]
)


def blocks(steps: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(steps, min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    return st.one_of(
        st.tuples(some, some).map(lambda s: f"{{branch: [{{if: {{tag: a}}, steps: {s[0]}}}, {{else: {s[1]}}}]}}"),
        some.map(lambda s: f"{{branch: [{{if: {{stage: mql}}, steps: {s}}}]}}"),
        some.map(lambda s: f"{{repeat: {{every: 1w, at_most: 3, steps: {s}}}}}"),
        some.map(lambda s: f"{{wait_for: {{event: order_completed, up_to: 3d}}, else: {s}}}"),
        st.tuples(some, st.uuids()).map(
            lambda s: f"{{split: {{a: 50%, holdout: 50%}}, arms: {{a: {s[0]}}}, id: split-{s[1]}}}"
        ),
    )


steps = st.lists(st.recursive(simple, blocks, max_leaves=8), min_size=1, max_size=5)


@MODEST
@given(steps)
def test_a_plan_is_the_same_after_json_and_every_step_can_be_gone_on_from(written: list[str]) -> None:
    text = f"campaign: c\nenter: {{manual: true}}\nsteps: [{', '.join(written)}]\n"
    found = read_campaign("c.yaml", text, shop())
    assert not [p for p in found.problems if p.severity == "error"]
    plan = found.plan
    assert plan is not None
    assert load(canonical(plan)) == plan
    assert version(load(canonical(plan))) == version(plan)
    assert len({step.id for step in plan.steps}) == len(plan.steps)
    places = {END, *range(len(plan.steps))}
    for step in plan.steps:
        assert step.next in places
        match step:
            case Branch(arms=arms):
                assert all(target in places and asked < len(plan.conditions) for asked, target in arms)
            case Split(arms=drawn):
                assert all(target in places for _, _, target in drawn)
            case Repeat(body=body):
                assert body in places
            case WaitFor(then=then, otherwise=otherwise):
                assert {then, otherwise} <= places


@MODEST
@given(st.integers(0, len(WHOLE)), st.integers(0, 40), st.text(max_size=12))
def test_no_edit_of_a_campaign_ends_in_a_traceback(at: int, cut: int, put: str) -> None:
    text = WHOLE[:at] + put + WHOLE[at + cut :]
    found = read_campaigns({"c.yaml": text}, shop())
    for problem in found.problems:
        assert problem.mark.line >= 1
        assert str(problem)
    assert found.plans or any(problem.severity == "error" for problem in found.problems)


@MODEST
@given(st.integers(0, len(CONFIG)), st.integers(0, 40), st.text(max_size=12))
def test_no_edit_of_a_config_ends_in_a_traceback(at: int, cut: int, put: str) -> None:
    text = CONFIG[:at] + put + CONFIG[at + cut :]
    reading = read_project(("config.yaml", text))
    read_campaigns({"c.yaml": WHOLE}, reading.project)


@MODEST
@given(st.text(max_size=60))
def test_no_text_ends_in_a_traceback(text: str) -> None:
    found = read_campaigns({"c.yaml": text}, shop())
    assert found.plans == {}
    assert any(problem.severity == "error" for problem in found.problems)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 10**6), st.sampled_from([1, -1]))
def test_a_duration_reads_back_as_it_is_written(months: int, days: int, workdays: int, seconds: int, sign: int) -> None:
    duration = Duration(months, days, workdays, seconds, sign)
    if not duration.zero:
        assert read_duration(str(duration)) == duration

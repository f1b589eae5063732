"""What each rule finds, and what it leaves alone."""

from __future__ import annotations

import pytest

from nurture.campaign.read import Campaigns, read_campaigns, read_project
from nurture.campaign.rules.late import longest_night, open_at
from nurture.campaign.window import ClockTime, Window
from tests.unit.campaign.project import CONFIG, campaign, codes, shop, with_steps

WINDOW = 'window: {days: mon-fri, between: "09:00-18:00"}\n'


def several(**bodies: str) -> Campaigns:
    files = {f"{name}.yaml": f"campaign: {name.replace('_', '-')}\n{body}\n" for name, body in bodies.items()}
    return read_campaigns(files, shop())


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("- exit: a\n- tag: x", ["N310"]),
        ("- exit: a\n  if: {tag: y}\n- tag: x", []),
        ("- branch: [{if: {tag: y}, steps: [{exit: a}]}]\n- tag: x", []),
        ("- branch: [{if: {tag: y}, steps: [{exit: a}]}, {else: [{exit: b}]}]\n- tag: x", ["N310"]),
        ("- branch: [{if: {tag: y}, steps: [{exit: a}]}, {else: [{exit: b}]}]\n  if: {tag: z}\n- tag: x", []),
        ("- split: {a: 50%, holdout: 50%}\n  arms: {a: [{exit: a}]}\n- tag: x", []),
        ("- wait_for: {event: order_completed, up_to: 1d}\n  then: [{exit: a}]\n- tag: x", []),
        ("- repeat: {every: 1d, at_most: 2, steps: [{exit: a}]}\n- tag: x", []),
    ],
)
def test_a_step_behind_every_exit_is_unreachable(steps: str, found: list[str]) -> None:
    assert codes(with_steps(steps).problems) == found


def test_a_marketing_mail_needs_a_topic_of_the_campaign_or_its_own() -> None:
    found = several(
        without="enter: {manual: true}\nsteps: [{send: a}]",
        own="enter: {manual: true}\nsteps: [{send: b, topic: offers}]",
        service="enter: {manual: true}\nsteps: [{send: c, class: service}]",
    )
    assert [(p.code, p.mark.file) for p in found.problems] == [("N321", "without.yaml")]


def test_variants_need_an_id_of_their_own() -> None:
    assert codes(with_steps("- send: {variants: {a: 50%, b: 50%}}").problems) == ["N323"]


def test_an_exit_on_any_key_is_a_warning_where_the_event_has_the_key() -> None:
    body = "enter: {event: cart_updated, key: cart_id}\nexit: {event: EVENT}\nsteps: [{tag: x}]"
    assert codes(campaign(body.replace("EVENT", "cart_emptied")).problems) == ["N333"]
    assert codes(campaign(body.replace("EVENT", "mail.replied")).problems) == []
    assert codes(campaign(body.replace("EVENT", "cart_emptied, same: cart_id")).problems) == []


@pytest.mark.parametrize(
    ("send", "found"),
    [
        ("{send: a, if_late: {after: 12h, do: skip}}", ["N330"]),
        ("{send: a, if_late: {after: 3d, do: skip}}", []),
        ("{send: a, if_late: {after: 12h, do: send}}", []),
        ("{send: a, if_late: {after: 12h, do: skip}, window: none}", []),
        ("{send: a, if_late: {after: 12h, do: skip}, class: service}", []),
        ("{send: a, if_late: {after: 12h, do: exit}, class: service, window: {between: '09:00-18:00'}}", ["N330"]),
    ],
)
def test_a_patience_shorter_than_the_longest_night_is_a_warning(send: str, found: list[str]) -> None:
    assert codes(campaign(f"{WINDOW}enter: {{manual: true}}\nsteps: [{send}]").problems) == found


def test_a_mail_due_at_a_known_open_hour_has_no_night_to_fear() -> None:
    body = WINDOW + "enter: {schedule: 2026-11-27T09:30}\nsteps: [{send: a, if_late: {after: 6h, do: exit}}]"
    assert codes(campaign(body).problems) == []
    assert codes(campaign(body.replace("T09:30", "T20:30")).problems) == ["N330"]
    assert codes(campaign(body.replace("11-27", "11-28")).problems) == ["N330"]


@pytest.mark.parametrize(
    ("window", "minutes"),
    [
        (Window((0, 1, 2, 3, 4), ClockTime(540), ClockTime(1080)), 63 * 60),
        (Window((0, 1, 2, 3, 4, 5), ClockTime(540), ClockTime(1200)), 37 * 60),
        (Window(), 0),
        (Window(opens=ClockTime(1320), closes=ClockTime(360)), 16 * 60),
        (Window((6,), ClockTime(0), ClockTime(1440)), 6 * 1440),
    ],
)
def test_the_longest_night_runs_over_the_weekend(window: Window, minutes: int) -> None:
    assert longest_night(window) == minutes


def test_a_window_past_midnight_is_open_on_the_next_morning() -> None:
    window = Window((6,), ClockTime(1320), ClockTime(360))  # Sunday night
    assert open_at(window, 5 * 60)  # Monday 5:00
    assert not open_at(window, 7 * 60)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("{mail: {clicked: hello}}", ["N331"]),
        ("{mail: {opened: hello}, tag: x}", ["N331"]),
        ("{any: [{mail: {clicked: hello}}, {tag: x}]}", []),
        ("{not: {mail: {clicked: hello}}}", []),
        ("{mail: {replied: hello}}", []),
    ],
)
def test_a_branch_only_clicks_can_take_is_a_warning(condition: str, found: list[str]) -> None:
    steps = f"- send: hello\n- branch: [{{if: {condition}, steps: [{{tag: y}}]}}]"
    assert codes(with_steps(steps).problems) == found
    assert codes(with_steps(steps.replace("}]}]", "}]}, {else: [{tag: z}]}]")).problems) == []


def test_a_notice_to_an_owner_who_may_be_missing_is_a_warning() -> None:
    project = read_project(("config.yaml", CONFIG.replace("alerts:", "# alerts:"))).project
    body = "campaign: c\nenter: {manual: true}\nsteps: [STEPS{notify: {to: owner, template: t}}]"
    alone = read_campaigns({"c.yaml": body.replace("STEPS", "")}, project).problems
    assert [(p.code, p.severity) for p in alone] == [("N340", "warning")]
    assert read_campaigns({"c.yaml": body.replace("STEPS", "{assign: care}, ")}, project).problems == []
    assert read_campaigns({"c.yaml": body.replace("STEPS", "")}, shop()).problems == []


def test_campaigns_that_enroll_one_another_without_a_wait_are_a_circle() -> None:
    found = several(
        a="enter: {manual: true}\nsteps: [{enroll: b}]",
        b="enter: {manual: true}\nsteps: [{branch: [{if: {tag: x}, steps: [{enroll: a}]}]}]",
    )
    assert [(p.code, p.message) for p in found.problems] == [("N326", "leads go in a circle without a wait: a → b → a")]
    assert found.plans.keys() == {"b"}


@pytest.mark.parametrize("wait", ["{wait: 1d}", "{wait_for: {event: order_completed, up_to: 1d}}"])
def test_a_wait_breaks_the_circle(wait: str) -> None:
    found = several(
        a="enter: {manual: true}\nsteps: [{enroll: b}]", b=f"enter: {{manual: true}}\nsteps: [{wait}, {{enroll: a}}]"
    )
    assert found.problems == []


def test_a_wait_that_may_be_over_at_once_breaks_no_circle() -> None:
    steps = "[{wait_for: {match: {tag: x}, up_to: 1d}}, {enroll: a}]"
    assert codes(several(a=f"enter: {{manual: true}}\nsteps: {steps}").problems) == ["N326"]


def test_two_campaigns_of_one_name_are_a_problem_of_the_second() -> None:
    body = "campaign: twin\nenter: {manual: true}\nsteps: [{tag: x}]"
    found = read_campaigns({"a.yaml": body, "b.yaml": body}, shop())
    assert [(p.code, p.mark.file) for p in found.problems] == [("N335", "b.yaml")]


def test_an_unknown_campaign_is_told_with_the_nearest() -> None:
    found = several(
        welcome="enter: {manual: true}\nsteps: [{tag: x}]",
        other="enter: {manual: true, only_if: {in_campaign: welcom}}\nsteps: [{tag: x}]",
    )
    assert codes(found.problems) == ["N308"]
    assert "did you mean 'welcome'?" in found.problems[0].hint


def test_a_campaign_with_problems_is_still_known_by_name_to_others() -> None:
    found = several(
        broken="enter: {manual: true}\nsteps: [{wait: 3}]", other="enter: {manual: true}\nsteps: [{enroll: broken}]"
    )
    assert codes(found.problems) == ["N201"]


def test_a_missing_template_is_a_problem_once_templates_are_known() -> None:
    files = {"c.yaml": "campaign: c\ntopic: offers\nenter: {manual: true}\nsteps: [{send: hello}]"}
    assert read_campaigns(files, shop()).problems == []
    found = read_campaigns(files, shop(), {"helo": {}}).problems
    assert codes(found) == ["N334"]
    assert found[0].hint == "did you mean 'helo'?"


def test_a_condition_on_a_mail_of_any_campaign_knows_them_all() -> None:
    found = several(
        a="topic: offers\nenter: {manual: true}\nsteps: [{send: hello}]",
        b="enter: {manual: true, only_if: {mail: {sent: hello}}}\nsteps: [{tag: x}]",
        c="enter: {manual: true, only_if: {mail: {sent: helo}}}\nsteps: [{tag: x}]",
    )
    assert [(p.code, p.mark.file) for p in found.problems] == [("N315", "c.yaml")]


def test_a_mail_of_a_step_that_could_not_be_read_is_not_called_unknown() -> None:
    steps = "- send: hello\n  if_late: {after: 3, do: skip}\n- tag: x\n  if: {mail: {sent: hello}}"
    assert codes(with_steps(steps).problems) == ["N201"]


def test_every_problem_of_every_file_is_said_at_once() -> None:
    found = several(
        a="topic: nope\nenter: {manual: true}\nsteps: [{wait: 3}, {dance: 1}]",
        b="enter: {manual: maybe}\nsteps: [{send: a}, {wait: 9am}]",
    )
    assert [(p.mark.file, p.code) for p in found.problems] == [
        ("a.yaml", "N303"),
        ("a.yaml", "N201"),
        ("a.yaml", "N112"),
        ("b.yaml", "N208"),
        ("b.yaml", "N321"),
        ("b.yaml", "N201"),
    ]

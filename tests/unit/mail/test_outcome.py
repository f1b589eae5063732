"""What servers' answers mean (trust §1.2, E15, E16, E18)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nurture.errors import UserError
from nurture.mail.outcome import (
    Kind,
    Move,
    Outcome,
    Phase,
    Route,
    RulesBroken,
    classify,
    default_rules,
    enhanced_code,
    next_attempt,
    parse_rules,
)
from tests.unit.mail.smtp_replies import REPLIES

RULES = default_rules()
TABLE = [tuple(line.split(" | ")) for line in REPLIES.strip().splitlines()]
MINUTE = timedelta(minutes=1)


def judged(phase: str, reply: str, rules: tuple = RULES) -> Outcome:  # type: ignore[type-arg]
    if reply.startswith("("):
        return classify(Phase(phase), None, None, reply, rules)
    return classify(Phase(phase), int(reply[:3]), None, reply[4:], rules)


@pytest.mark.parametrize(("phase", "reply", "kind"), TABLE)
def test_e15_an_answer_of_a_real_server_gets_its_class(phase: str, reply: str, kind: str) -> None:
    assert judged(phase, reply).kind == kind


def test_e15_the_table_of_answers_is_long_and_knows_every_class() -> None:
    assert (len(TABLE) >= 200, {kind for *_, kind in TABLE}) == (True, {kind.value for kind in Kind})


@pytest.mark.parametrize(
    ("phase", "reply", "kind"),
    [row for row in TABLE if row[2] not in {"hard", "likely", "disabled", "quota", "domain"}],
)
def test_e15_only_a_mailbox_that_is_gone_or_full_ends_mail_to_a_lead(phase: str, reply: str, kind: str) -> None:
    assert judged(phase, reply).suppress_after == 0


def test_e15_a_domain_that_cannot_be_reached_counts_over_all_its_addresses() -> None:
    outcome = judged("rcpt", "550 5.4.4 unable to route")
    assert (outcome.route, outcome.pause_after, outcome.suppress_after) == (Route.PAUSE_DOMAIN, 5, 5)


@pytest.mark.parametrize("reply", ["550 5.1.1 unknown", "550 No such user here"])
def test_e15_a_missing_mailbox_is_suppressed_at_once(reply: str) -> None:
    assert judged("rcpt", reply).suppress_after == 1


def test_e15_an_enhanced_code_quoted_inside_the_text_does_not_count() -> None:
    assert judged("dot", "554 Remote said: 5.1.1 and gave up").kind is Kind.SOFT


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("5.1.1 no", 550, "5.1.1"),
        ("no 5.1.1", 550, None),
        ("4.2.2 x", 550, None),
        ("5.1.1.9 x", 550, None),
        ("", 550, None),
    ],
)
def test_an_enhanced_code_stands_at_the_beginning_and_agrees_with_the_code(
    text: str, code: int, found: str | None
) -> None:
    assert enhanced_code(text, code) == found


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY])
def test_e18_a_drop_before_the_last_dot_is_tried_again(phase: Phase) -> None:
    assert classify(phase, None, None, "connection reset", RULES).message is Move.RETRY


@pytest.mark.parametrize("text", ["connection reset", "no answer in 600 s", "quota exceeded", ""])
def test_e18_a_drop_after_the_last_dot_is_unknown_whatever_was_read(text: str) -> None:
    assert classify(Phase.DOT, None, None, text, RULES).message is Move.UNKNOWN


@pytest.mark.parametrize("code", [None, 421, 554])
def test_e19_a_failed_quit_changes_nothing(code: int | None) -> None:
    assert classify(Phase.QUIT, code, None, "", RULES).message is Move.DONE


@pytest.mark.parametrize(
    ("phase", "reply", "route", "pause"),
    [
        ("mail", "421 4.7.0 [TSS04] deferred", Route.SUSPEND, timedelta(hours=2)),
        ("mail", "421 4.7.0 [TSS05] deferred", Route.SUSPEND, timedelta(hours=4)),
        ("mail", "421 4.7.0 [TS02] deferred", Route.SLOW, timedelta(minutes=30)),
        ("rcpt", "421 4.7.28 unusual rate", Route.SLOW, timedelta(minutes=30)),
        ("rcpt", "450 4.2.1 too quickly", Route.GO_ON, timedelta(minutes=30)),
        ("auth", "535 5.7.8 no", Route.STOP, timedelta(hours=1)),
        ("mail", "553 5.1.8 no", Route.PAUSE_SENDER, timedelta(hours=1)),
        ("dot", "550 5.7.1 spam", Route.PAUSE_DESTINATION, timedelta(hours=2)),
        ("greeting", "554 no", Route.SUSPEND, timedelta(hours=1)),
    ],
)
def test_an_answer_says_what_becomes_of_the_route(phase: str, reply: str, route: Route, pause: timedelta) -> None:
    outcome = judged(phase, reply)
    assert (outcome.route, outcome.pause) == (route, pause)


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        ("450 4.7.1 Try again in 300 seconds", timedelta(seconds=300)),
        ("451 Greylisted, please retry in 5 minutes", timedelta(minutes=5)),
        ("451 try again in 2 hours", timedelta(hours=2)),
        ("451 try again in 90000 hours", timedelta(hours=4)),
        ("451 try again later", None),
    ],
)
def test_e16_a_server_that_names_a_time_is_heard(reply: str, wait: timedelta | None) -> None:
    assert judged("rcpt", reply).retry_after == wait


def test_the_projects_rules_come_first() -> None:
    rules = default_rules('[[rule]]\nname = "ours"\ncode = "550"\ntext = "gone fishing"\nclass = "transient"\n')
    assert [judged("rcpt", r, rules).kind for r in ("550 Gone fishing", "550 No such user")] == [
        Kind.TRANSIENT,
        Kind.HARD,
    ]


def test_the_projects_rule_does_what_its_class_does() -> None:
    rules = default_rules('[[rule]]\nname = "ours"\ncode = "550"\nclass = "throttle"\nrate = 3\n')
    outcome = judged("rcpt", "550 x", rules)
    assert (outcome.message, outcome.route, outcome.rate) == (Move.RETRY, Route.SLOW, 3)


@pytest.mark.parametrize(
    "bad",
    [
        "not toml",
        '[[rule]]\nname="x"\nclass="nonsense"',
        '[[rule]]\nname="x"\nclass="hard"\nphase="lunch"',
        '[[rule]]\nname="x"\nclass="hard"\ntext="("',
        '[[rule]]\nname="x"\nclass="hard"\nroute="elsewhere"',
        '[[rule]]\nname="x"\nclass="hard"\npause="soon"',
        '[[rule]]\nname="x"\nclass="hard"\ncodes="550"',
        '[[rule]]\nname="x"',
        '[class.nonsense]\nmessage="fail"',
    ],
)
def test_a_rule_that_cannot_be_read_is_the_users_problem(bad: str) -> None:
    with pytest.raises(UserError):
        parse_rules(bad)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[rule]]\nname = "a"\nclass = "soft"\n\n[[rule]]\nname = "b"\nclass = "lost"', 5),
        ('[[rule]]\nname = "a"\nclass = \n', 3),
        ('# ours\n\n[class.policy]\npuase = "1h"', 3),
    ],
)
def test_e15_a_rule_that_cannot_be_read_names_its_line(text: str, line: int) -> None:
    with pytest.raises(RulesBroken) as broken:
        default_rules(text)
    assert broken.value.line == line


def test_e15_the_project_may_say_what_a_class_does() -> None:
    rules = default_rules("[class.policy]\npause_after = 2\n")
    outcome = judged("dot", "550 5.7.1 spam", rules)
    assert (outcome.pause_after, outcome.pause) == (2, timedelta(hours=2))


@pytest.mark.parametrize(
    ("phase", "code", "kind"),
    [
        ("dot", None, Kind.UNKNOWN),
        ("dot", 354, Kind.UNKNOWN),
        ("rcpt", None, Kind.TRANSIENT),
        ("rcpt", 450, Kind.TRANSIENT),
        ("rcpt", 550, Kind.SOFT),
    ],
)
def test_e15_without_any_rule_nothing_is_hard(phase: str, code: int | None, kind: Kind) -> None:
    assert classify(phase, code, None, "", ()).kind is kind


def test_e15_an_endless_answer_is_read_quickly() -> None:
    assert judged("rcpt", "550 " + "user " * 200_000).kind is Kind.HARD


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_e16_waits_double_up_to_the_longest() -> None:
    waits = [next_attempt(n, 5 * MINUTE, 240 * MINUTE, middle) for n in range(1, 9)]
    assert [w / MINUTE for w in waits] == [5, 10, 20, 40, 80, 160, 240, 240]


@pytest.mark.parametrize("number", [1, 2, 6, 7, 50, 5000])
def test_e16_chance_moves_a_wait_by_a_quarter_and_never_over_the_longest(number: int) -> None:
    low = next_attempt(number, 5 * MINUTE, 240 * MINUTE, lambda low, high: low)
    high = next_attempt(number, 5 * MINUTE, 240 * MINUTE, lambda low, high: high)
    even = min(5 * 2 ** (number - 1), 240)
    assert (low / MINUTE, high / MINUTE) == (even * 0.75, min(even * 1.25, 240))


def test_rule_names_are_unique_so_that_an_answer_can_be_explained() -> None:
    names = [rule.outcome.rule for rule in RULES]
    assert len(names) == len(set(names))


def test_every_rule_decides_some_answer_of_the_table() -> None:
    used = {judged(phase, reply).rule for phase, reply, _ in TABLE}
    assert {rule.outcome.rule for rule in RULES} - used == set()

"""What a mail server's answer means for the message, the lead and the route (trust §1.2).

The meaning is data, not code: rules over phase, basic code, enhanced code and text, the first that fits decides, the
project's before ours (`outcomes.toml`). All four facts count together: 5.7.1 is about us and not about the lead, 5.2.2
is a full mailbox and not a missing one, and a drop after the last dot is an outcome nobody knows (trust E15, E18).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from nurture.errors import UserError


class Phase(StrEnum):
    """How far the dialogue had come. Set by the SMTP client before it takes each step."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # DATA is sent, 354 not yet read
    BODY = "body"  # some of the mail is written, its last dot is not
    DOT = "dot"  # the last dot was handed to the socket: from here on a drop leaves the outcome unknown
    QUIT = "quit"


class Kind(StrEnum):
    """The class of an answer; `[class.…]` in outcomes.toml says what each does."""

    ACCEPTED = "accepted"  # taken by their server, which is not yet "delivered"
    HARD = "hard"
    LIKELY = "likely"
    DISABLED = "disabled"
    QUOTA = "quota"
    SOFT = "soft"
    DOMAIN = "domain"
    MESSAGE = "message"
    POLICY = "policy"
    THROTTLE = "throttle"
    GREYLIST = "greylist"
    RECIPIENTS = "recipients"
    TRANSPORT = "transport"
    CONFIG = "config"
    SENDER = "sender"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class Move(StrEnum):
    """What becomes of the message."""

    DONE = "done"
    RETRY = "retry"
    FAIL = "fail"
    HOLD = "hold"  # until a person or a changed setting frees it
    UNKNOWN = "unknown"  # the server may have it; policy or a person decides


class Route(StrEnum):
    """What becomes of the way to that server or of the sender."""

    GO_ON = "go on"
    BACKOFF = "backoff"
    SLOW = "slow"
    SUSPEND = "suspend"
    PAUSE_DESTINATION = "pause_destination"
    PAUSE_DOMAIN = "pause_domain"
    PAUSE_SENDER = "pause_sender"
    STOP = "stop"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer means. `rule` names the rule that decided, for `nurture why`.

    `suppress_after` answers of this kind within `suppress_within` end mail to the address: 0 is never, 1 at once.
    `rate` is mails a minute; `pause` is how long rate, suspension or a pause hold; a pause of a destination, a domain,
    a sender or a server begins after `pause_after` such answers within `pause_within`. `retry_after` is what the server
    asked for.
    """

    kind: Kind
    rule: str
    message: Move
    route: Route = Route.GO_ON
    rate: int | None = None
    pause: timedelta = timedelta(0)
    pause_after: int = 1
    pause_within: timedelta = timedelta(hours=1)
    suppress_after: int = 0
    suppress_within: timedelta = timedelta(days=30)
    alert: bool = False
    retry_after: timedelta | None = None


class Rule(msgspec.Struct, frozen=True):
    """One line of the table, compiled; an empty part fits everything."""

    phases: frozenset[str]
    codes: frozenset[str]
    enhanced: frozenset[str]
    text: re.Pattern[str] | None
    outcome: Outcome

    def fits(self, phase: str, codes: frozenset[str], enhanced: frozenset[str], text: str) -> bool:
        return (
            (not self.phases or phase in self.phases)
            and (not self.codes or not self.codes.isdisjoint(codes))
            and (not self.enhanced or not self.enhanced.isdisjoint(enhanced))
            and (self.text is None or self.text.search(text) is not None)
        )


Rules = tuple[Rule, ...]

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_WAIT = re.compile(
    r"(?:try again|retry|wait|come back).{0,40}?(\d{1,5})\s*(second|sec|s|minute|min|m|hour)\w*\b", re.IGNORECASE
)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+)([smhd])")
_LONGEST_TEXT = 4096  # some servers answer with a page; the beginning tells
_RULE_KEYS = {"name", "phase", "code", "enhanced", "text", "class"}
_EFFECT_KEYS = {
    *("message", "route", "rate", "pause", "pause_after", "pause_within"),
    *("suppress_after", "suppress_within", "alert"),
}
_TABLES = re.compile(r"^\s*\[\[\s*rule\s*\]\]", re.MULTILINE)
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def classify(phase: Phase | str, code: int | None, enhanced: str | None, text: str, rules: Rules) -> Outcome:
    """What the answer means; `code` is None for a drop, a time-out or an answer nobody can read.

    Never raises: what no rule fits is transient before the last dot with a 4xx or nothing, unknown after it, else soft.
    """
    text = text[:_LONGEST_TEXT]
    codes = frozenset(("none",)) if code is None else frozenset((str(code), f"{code // 100}xx"))
    enhanced = enhanced or enhanced_code(text, code)
    if enhanced is None:
        details = frozenset(("none",))
    else:
        head, _, _ = enhanced.rpartition(".")
        details = frozenset((enhanced, f"{head}.*"))
    for rule in rules:
        if rule.fits(phase, codes, details, text):
            wait = _asked_to_wait(text) if rule.outcome.message is Move.RETRY else None
            return msgspec.structs.replace(rule.outcome, retry_after=wait) if wait else rule.outcome
    return _UNLISTED_UNKNOWN if phase == Phase.DOT and (code is None or code < 400) else _unlisted(code)


def enhanced_code(text: str, code: int | None = None) -> str | None:
    """The enhanced code an answer begins with; one deeper in the text is somebody else's, quoted (RFC 3463, E15)."""
    found = _ENHANCED.match(text)
    if found is None or (code is not None and found[1][0] != str(code)[0]):
        return None
    return found[1]


def next_attempt(
    number: int, first: timedelta, longest: timedelta, jitter: Callable[[float, float], float]
) -> timedelta:
    """How long to wait after the `number`-th failed attempt (from 1): doubling, a quarter of chance, at most `longest`.

    `jitter(low, high)` draws a number between the two (trust E16).
    """
    doubled = first * min(2.0 ** min(number - 1, 40), longest / first)
    return min(doubled * jitter(0.75, 1.25), longest)


class RulesBroken(UserError):
    """Outcome rules that cannot be read; `line` is where in the text, from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def parse_rules(text: str, *, classes_of: str | None = None) -> Rules:
    """Rules from TOML. `classes_of` is the text that says what classes do, where `text` (a project's) does not.

    Raises RulesBroken naming the first rule that cannot be read, and its line.
    """
    table = _toml(text)
    for name in table:
        if name not in ("rule", "class"):
            raise RulesBroken(f"unknown table '{name}'; there are [[rule]] and [class.NAME]", _line_of(text, name))
    theirs, own = _toml(classes_of).get("class", {}) if classes_of else {}, table.get("class", {})
    for name, effects in own.items():
        line = _line_of(text, f"class.{name}")
        if name not in set(Kind):
            raise RulesBroken(f"outcome class '{name}' is not known; there are: {', '.join(Kind)}", line)
        if unknown := set(effects) - _EFFECT_KEYS:
            raise RulesBroken(f"outcome class '{name}': unknown key '{min(unknown)}'", line)
    classes = {name: {**theirs.get(name, {}), **own.get(name, {})} for name in {**theirs, **own}}
    lines = [text.count("\n", 0, found.end()) + 1 for found in _TABLES.finditer(text)]
    raw_rules = table.get("rule", [])
    return tuple(_rule(raw, classes, lines[n] if n < len(lines) else 1) for n, raw in enumerate(raw_rules))


@lru_cache(maxsize=4)
def default_rules(overrides: str = "") -> Rules:
    """The rules that come with nurture, after the project's own (TOML with `[[rule]]`, and `[class.NAME]` for what a
    class does). Raises RulesBroken for the project's."""
    ours = resources.files("nurture.mail").joinpath("outcomes.toml").read_text("utf-8")
    own = tomllib.loads(overrides).get("class", {}) if _readable(overrides) else {}
    return parse_rules(overrides, classes_of=ours) + _with_classes(ours, own)


def _readable(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _with_classes(text: str, own: Mapping[str, Mapping[str, Any]]) -> Rules:
    """Our rules, with what the project says that a class does."""
    table = _toml(text)
    classes = {name: {**effects, **own.get(name, {})} for name, effects in table["class"].items()}
    return tuple(_rule(raw, classes, 1) for raw in table["rule"])


def _line_of(text: str, name: str) -> int:
    found = re.search(rf"^\s*\[+\s*{re.escape(name)}\b|^\s*{re.escape(name)}\s*=", text, re.MULTILINE)
    return 1 if found is None else text.count("\n", 0, found.end()) + 1


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        told = _TOML_PLACE.sub("", str(error))
        raise RulesBroken(f"the outcome rules are not TOML: {told[:1].lower()}{told[1:]}", line) from error


def _rule(raw: Mapping[str, Any], classes: Mapping[str, Mapping[str, Any]], line: int) -> Rule:
    name = str(raw.get("name", "without name"))
    unknown = set(raw) - _RULE_KEYS - _EFFECT_KEYS
    if unknown:
        raise RulesBroken(f"outcome rule '{name}': unknown key '{min(unknown)}'", line)
    if "class" not in raw:
        raise RulesBroken(f"outcome rule '{name}' has no 'class'; there are: {', '.join(Kind)}", line)
    try:
        kind = Kind(raw["class"])
        phases = frozenset(Phase(phase) for phase in _listed(raw.get("phase", [])))
        pattern = re.compile(raw["text"], re.IGNORECASE) if "text" in raw else None
        effects = {**classes.get(kind, {}), **{key: value for key, value in raw.items() if key in _EFFECT_KEYS}}
        outcome = _outcome(kind, name, effects)
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise RulesBroken(f"outcome rule '{name}' cannot be read: {error}", line) from error
    codes = frozenset(str(code) for code in _listed(raw.get("code", [])))
    return Rule(phases, codes, frozenset(_listed(raw.get("enhanced", []))), pattern, outcome)


def _outcome(kind: Kind, name: str, effects: Mapping[str, Any]) -> Outcome:
    return Outcome(
        kind=kind,
        rule=name,
        message=Move(effects.get("message", "fail")),
        route=Route(effects.get("route", "go on")),
        rate=effects.get("rate"),
        pause=_duration(effects.get("pause", "0s")),
        pause_after=int(effects.get("pause_after", 1)),
        pause_within=_duration(effects.get("pause_within", "1h")),
        suppress_after=int(effects.get("suppress_after", 0)),
        suppress_within=_duration(effects.get("suppress_within", "30d")),
        alert=bool(effects.get("alert", False)),
    )


def _listed(value: str | int | Sequence[str]) -> list[str]:
    return [str(value)] if isinstance(value, str | int) else list(value)


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no duration like 30m, 4h or 30d")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def _asked_to_wait(text: str) -> timedelta | None:
    """`try again in 300 seconds`; at most four hours of it."""
    found = _WAIT.search(text)
    if found is None:
        return None
    return min(timedelta(seconds=int(found[1]) * _UNITS[found[2][0].lower()]), timedelta(hours=4))


_UNLISTED_UNKNOWN = Outcome(kind=Kind.UNKNOWN, rule="", message=Move.UNKNOWN)


def _unlisted(code: int | None) -> Outcome:
    later = code is None or code < 500
    return (
        Outcome(kind=Kind.TRANSIENT, rule="", message=Move.RETRY)
        if later
        else Outcome(kind=Kind.SOFT, rule="", message=Move.FAIL)
    )

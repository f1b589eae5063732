"""Conditions as data: the one tree that `store.conditions` compiles to SQL.

A condition says nothing about how it is answered. It is asked of a batch of rows (lead, enrollment, event, key,
instant); "now" in it is the row's instant. Stage ranges, segments and scores stay names here, because the live
project, not the version, says what they mean (S33).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from nurture.campaign.duration import Duration

FieldType = Literal["text", "number", "date", "url", "bool", "list"]
Scope = Literal["lead", "account", "entry", "event", "deal", "element"]
Op = Literal[
    "is",
    "is_not",
    "in",
    "not_in",
    "at_least",
    "at_most",
    "more_than",
    "less_than",
    "between",
    "contains",
    "starts_with",
    "ends_with",
    "set",
    "any",
    "before",
    "after",
    "in_last",
    "in_next",
    "anniversary_in",
]


class Relative(msgspec.Struct, frozen=True, tag_field="is", tag="relative"):
    """An instant by its signed distance from the row's instant, in the lead's zone."""

    offset: Duration


class Moment(msgspec.Struct, frozen=True, tag_field="is", tag="moment"):
    """A date or date-time as written (ISO 8601); without an offset it is the lead's local time."""

    text: str


Scalar = str | int | float | bool | Relative | Moment


class Test(msgspec.Struct, frozen=True, omit_defaults=True):
    """One test on a value. `value` is a scalar, a tuple for `in`, `not_in` and `between`, a Duration for `in_last`,
    `in_next`, `anniversary_in` (as `Relative`), and for `any` it is empty and `element` holds tests that one element
    of the list must all pass."""

    __test__ = False  # not a pytest class

    op: Op
    value: Scalar | tuple[Scalar, ...] = ()
    element: tuple[Field, ...] = ()


class Field(msgspec.Struct, frozen=True, tag_field="is", tag="field", omit_defaults=True):
    """Tests on a property: of the lead, its account, the entry event, the event at hand (`where`), the lead's deal,
    or one element of a list. All tests must hold. `type` is the declared type; undeclared is text."""

    scope: Scope
    path: tuple[str, ...]
    tests: tuple[Test, ...]
    type: FieldType = "text"


class All(msgspec.Struct, frozen=True, tag_field="is", tag="all"):
    items: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True, tag_field="is", tag="any"):
    items: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, tag_field="is", tag="not"):
    """The plain opposite: what was false for a missing field becomes true."""

    item: Condition


class InStage(msgspec.Struct, frozen=True, tag_field="is", tag="stage", omit_defaults=True):
    """The lead stands in one of `names`, or in the range [`at_least`, `before`) of the funnel these belong to."""

    names: tuple[str, ...] = ()
    at_least: str | None = None
    before: str | None = None
    by_account: bool = False


class InStageFor(msgspec.Struct, frozen=True, tag_field="is", tag="in_stage_for", omit_defaults=True):
    """How long the lead has stood where it stands. `beside` is the stage test written beside it, which says in which
    funnel; None: any funnel's."""

    at_least: Duration | None = None
    at_most: Duration | None = None
    more_than: Duration | None = None
    less_than: Duration | None = None
    beside: InStage | None = None


class Did(msgspec.Struct, frozen=True, tag_field="is", tag="did", omit_defaults=True):
    """How often the lead did it, or what a property adds up to. `event` "any" is any event without a dot.

    With `sum`, the bounds are on the sum of that property. Default: at least once; with `at_most` alone, from none.
    `did_not` is Not(Did).
    """

    event: str
    where: Condition | None = None  # Fields of scope "event"
    same: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    sum: str | None = None
    within: Duration | None = None
    since_entry: bool = False
    by_account: bool = False


class ScoreIs(msgspec.Struct, frozen=True, tag_field="is", tag="score"):
    name: str
    tests: tuple[Test, ...]


class Tagged(msgspec.Struct, frozen=True, tag_field="is", tag="tag"):
    name: str


class InSegment(msgspec.Struct, frozen=True, tag_field="is", tag="segment"):
    name: str


class Consented(msgspec.Struct, frozen=True, tag_field="is", tag="consent"):
    """May be mailed on that topic now."""

    topic: str


class Mailed(msgspec.Struct, frozen=True, tag_field="is", tag="mail", omit_defaults=True):
    """What happened to a mail: `mail` is a template name, a step id or "any"."""

    what: Literal["sent", "clicked", "opened", "bounced", "replied"]
    mail: str = "any"
    of: Literal["enrollment", "campaign", "all"] = "enrollment"
    campaign: str | None = None  # the campaign written in, for `of: campaign`
    within: Duration | None = None
    by_account: bool = False


class DealIs(msgspec.Struct, frozen=True, tag_field="is", tag="deal", omit_defaults=True):
    """The lead has a deal for which all of this holds."""

    stages: tuple[str, ...] = ()
    pipeline: str | None = None
    amount: tuple[Test, ...] = ()
    open: bool | None = None


class Enrolled(msgspec.Struct, frozen=True, tag_field="is", tag="enrolled", omit_defaults=True):
    """Other enrollments: open now, ever finished, ever reached the goal."""

    what: Literal["in_campaign", "finished", "reached_goal"]
    campaign: str
    by_account: bool = False


Condition = (
    All
    | Any
    | Not
    | Field
    | InStage
    | InStageFor
    | Did
    | ScoreIs
    | Tagged
    | InSegment
    | Consented
    | Mailed
    | DealIs
    | Enrolled
)


def walk(condition: Condition | Test) -> list[Condition]:
    """The condition and every condition inside it, outermost first (segments are not followed)."""
    found: list[Condition] = []
    match condition:
        case Test():
            return [inner for f in condition.element for inner in walk(f)]
        case All(items) | Any(items):
            found = [condition, *(inner for item in items for inner in walk(item))]
        case Not(item):
            found = [condition, *walk(item)]
        case Did(where=where) if where is not None:
            found = [condition, *walk(where)]
        case _:
            found = [condition]
    return found

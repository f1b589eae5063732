"""An enrollment: one lead in one version of one campaign, under one key."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

State = Literal[
    "waiting",  # stands on a step; opened by the reaction pass, moved on by `decide` and by what arrives
    "parked",  # a template or its step cannot be used; set by decide or delivery, left only by a deploy that mends it
    "finished",  # went past its last step; set by `decide`
    "goal",  # its goal was reached; set by the event's reaction or, for a match, by `decide`
    "exited",  # left with a reason; set by an exit event, a match, a step, withdrawal, merge, erasure, a deploy
    "failed",  # could not go on; set by `decide` alone
]
Held = Literal[
    "wait",  # by its own recipe: a wait, or a repeat between two rounds
    "event",  # a wait_for
    "answer",  # a webhook's
    "window",  # a send may go when the window opens
    "cap",  # … when the frequency cap allows one more
    "earlier mail",  # … when this enrollment's earlier mail has left, or another late one of this lead (S18, S21)
    "pause",  # … when the pause is lifted
]
OWN = frozenset({"wait", "event", "answer"})  # held by the step itself: its recipe has been timed already


class Enrollment(msgspec.Struct, frozen=True, kw_only=True):
    """Where the lead stands, and what was decided about it for good.

    `due` is when the present step should happen (S16), `wake` when it is looked at next: a deferral moves only `wake`.
    `visit` counts arrivals at steps; (enrollment, step, visit) names what a step sends, once for ever.
    """

    id: int
    lead: int
    shard: int = 0
    campaign: str
    version: str
    key: str = ""
    state: State = "waiting"
    step: str
    visit: int = 0
    due: datetime
    reached: datetime
    wake: datetime | None = None  # None: nothing of its own will wake it
    held: Held | None = None  # None: the step is to be done at `due`
    entered_at: datetime
    entry: dict[str, Any] = {}  # properties of the event that opened it
    entry_event: int | None = None  # that event; it is never its own goal, exit or wait (S3)
    entry_at: datetime | None = None  # its `at`: a goal that happened before it credits nothing (S4)
    data: dict[str, Any] = {}  # answers of webhooks, by name
    arms: dict[str, str] = {}  # step id → arm or template drawn; never drawn again (S21)
    loops: dict[str, int] = {}  # repeat's step id → rounds begun; absent outside of it
    done: tuple[str, ...] = ()  # steps done under an earlier version; not done again (S33)
    error: str | None = None  # of a parked one
    revision: int = 0

    @property
    def open(self) -> bool:
        return self.state in ("waiting", "parked")


def key_text(value: object) -> str | None:
    """A property as a key: text, numbers and truth values as text; None for missing, empty or not a scalar (S8)."""
    match value:
        case str():
            return value or None
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))  # 5.0 and 5 are one key: JSON does not tell them apart
        case int() | float():
            return str(value)
        case _:
            return None


def same_key(properties: dict[str, Any], same: str | None, key: str) -> bool:
    """Whether an event speaks of this enrollment's key; without `same` every event does. A missing property: no."""
    return same is None or (key_text(properties.get(same)) == key and key != "")


def older(one: Enrollment, other: Enrollment) -> tuple[Enrollment, Enrollment]:
    """Of two enrollments that a merge brought together: (the one that stays, the one that is `exit(merged)`) (S27)."""
    first, second = sorted((one, other), key=lambda e: (e.entered_at, e.id))
    return first, second

"""A compiled campaign: what the engine walks. Its canonical JSON is hashed, and the hash is the version.

Steps are a flat tuple. Each says where to go next by index; -1 is the end. Conditions that are asked on the way are
interned in `conditions` and named by index, so that a due batch can ask all of a segment in one query.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from nurture.campaign.condition import Condition
from nurture.campaign.duration import Duration
from nurture.campaign.window import ClockTime, Window

END = -1


class DateRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A date to wait for: `lead.FIELD`, `entry.FIELD`, `data.NAME.FIELD`, or a literal; then moved by `offset` and
    set to the local time `at`."""

    source: Literal["lead", "entry", "data", "literal"]
    path: tuple[str, ...] = ()
    text: str = ""  # of a literal, as written
    offset: Duration = Duration()
    at: ClockTime | None = None


class Unless(msgspec.Struct, frozen=True, omit_defaults=True):
    event: str
    where: Condition | None = None
    same: str | None = None


class EnterEvent(msgspec.Struct, frozen=True, tag="event", omit_defaults=True):
    event: str
    where: Condition | None = None
    settle: Duration | None = None
    unless: tuple[Unless, ...] = ()
    key: str | None = None


class EnterStage(msgspec.Struct, frozen=True, tag="stage", omit_defaults=True):
    stage: str
    existing: bool = False


class EnterMatch(msgspec.Struct, frozen=True, tag="match", omit_defaults=True):
    condition: Condition
    existing: bool
    every: Duration = Duration(seconds=900)


class EnterDate(msgspec.Struct, frozen=True, tag="date", omit_defaults=True):
    field: tuple[str, ...]  # path of a lead attribute
    offset: Duration = Duration()
    at: ClockTime | None = None
    yearly: bool = False
    catch_up: Duration | None = None


class EnterSchedule(msgspec.Struct, frozen=True, tag="schedule", omit_defaults=True):
    """`at` and `until` are as written: with an offset an instant, without one local to `zone` (lead, project, IANA)."""

    at: str
    repeat: Duration | None = None
    until: str | None = None
    zone: str = "lead"


class EnterManual(msgspec.Struct, frozen=True, tag="manual"):
    pass


Enter = EnterEvent | EnterStage | EnterMatch | EnterDate | EnterSchedule | EnterManual


class Again(msgspec.Struct, frozen=True, omit_defaults=True):
    after: Duration | None = None
    at_most: int | None = None
    per: Duration | None = None


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event (with tests and `same`), or a condition by index."""

    event: str | None = None
    where: Condition | None = None
    same: str | None = None
    match: int | None = None


class Goal(msgspec.Struct, frozen=True, omit_defaults=True):
    trigger: Trigger
    value: str | None = None  # event property credited as revenue
    move: str | None = None


class Exit(msgspec.Struct, frozen=True, omit_defaults=True):
    trigger: Trigger
    reason: str  # as written, else the event's name, else "match"


class IfLate(msgspec.Struct, frozen=True):
    after: Duration
    do: Literal["send", "skip", "exit"]


class Pick(msgspec.Struct, frozen=True, omit_defaults=True):
    by: Literal["goal", "clicked"]
    after: int
    up_to: Duration | None = None


class Step(msgspec.Struct, frozen=True, tag_field="do", omit_defaults=True, kw_only=True):
    """What every step has: its identity for ever, where to go next, and `only_if` (skip unless; index)."""

    id: str
    next: int = END
    only_if: int | None = None


class Send(Step, frozen=True, tag="send", omit_defaults=True, kw_only=True):
    """`variants` are (template, share 0–100); one template has a single variant of 100. `window`: None is the
    campaign's, `NoWindow` lifts it."""

    variants: tuple[tuple[str, float], ...]
    service: bool = False
    topic: str | None = None
    subject: str | None = None
    sender: str | None = None  # an address or "owner"
    reply_to: str | None = None
    attach_utm: bool = False
    window: Window | None = None
    no_window: bool = False
    if_late: IfLate | None = None
    pick: Pick | None = None


class WaitFor(Step, frozen=True, tag="wait_for", omit_defaults=True, kw_only=True):
    """Until the trigger or the time (`up_to` or the date `until`), whichever first: `then` when it came, `otherwise`
    when the time was over."""

    trigger: Trigger
    up_to: Duration | None = None
    until: DateRef | None = None
    then: int
    otherwise: int


class Wait(Step, frozen=True, tag="wait", omit_defaults=True, kw_only=True):
    """One of: a duration; until a local time (on some weekdays); a date."""

    duration: Duration | None = None
    until: ClockTime | None = None
    days: tuple[int, ...] = ()
    date: DateRef | None = None


class Branch(Step, frozen=True, tag="branch", omit_defaults=True, kw_only=True):
    """First arm (condition index, target) that holds; else `otherwise`, the else arm; without one, `next`.

    `next` is what follows the branch wherever `otherwise` is set, so that an `if` on the branch skips its else too.
    """

    arms: tuple[tuple[int, int], ...]
    otherwise: int | None = None


class Split(Step, frozen=True, tag="split", omit_defaults=True, kw_only=True):
    """`arms`: (name, share 0–100, target). A holdout's target is what follows the split."""

    arms: tuple[tuple[str, float, int], ...]
    seed: str | None = None


class Repeat(Step, frozen=True, tag="repeat", omit_defaults=True, kw_only=True):
    """Waits `every`, asks `while_`, does the steps at `body`, which come back here; `at_most` rounds, then `next`."""

    every: Duration
    at_most: int
    body: int
    while_: int | None = None


class Move(Step, frozen=True, tag="move", omit_defaults=True, kw_only=True):
    stage: str
    reason: str | None = None


class AddScore(Step, frozen=True, tag="score", kw_only=True):
    points: dict[str, float]


class SetFields(Step, frozen=True, tag="set", kw_only=True):
    values: dict[str, str | float | bool | None]


class AddTag(Step, frozen=True, tag="tag", kw_only=True):
    tag_name: str


class RemoveTag(Step, frozen=True, tag="untag", kw_only=True):
    tag_name: str


class OpenDeal(Step, frozen=True, tag="open_deal", omit_defaults=True, kw_only=True):
    pipeline: str
    amount: float | None = None
    owner: str | None = None


class MoveDeal(Step, frozen=True, tag="move_deal", omit_defaults=True, kw_only=True):
    stage: str
    pipeline: str | None = None


class Notify(Step, frozen=True, tag="notify", omit_defaults=True, kw_only=True):
    to: str  # "owner", an address, a team or a channel
    template: str


class Assign(Step, frozen=True, tag="assign", kw_only=True):
    team: str


class RequestConsent(Step, frozen=True, tag="request_consent", kw_only=True):
    topic: str


class ExpireConsent(Step, frozen=True, tag="expire_consent", kw_only=True):
    topic: str


class Call(Step, frozen=True, tag="call", omit_defaults=True, kw_only=True):
    """`body` values may hold Jinja over the template context; stored as text."""

    webhook: str
    body: dict[str, str] = {}
    or_exit: bool = False
    up_to: Duration = Duration(seconds=3600)


class EnrollIn(Step, frozen=True, tag="enroll", kw_only=True):
    campaign: str


class Leave(Step, frozen=True, tag="exit", kw_only=True):
    reason: str


AnyStep = (
    Send
    | Wait
    | WaitFor
    | Branch
    | Split
    | Repeat
    | Move
    | AddScore
    | SetFields
    | AddTag
    | RemoveTag
    | OpenDeal
    | MoveDeal
    | Notify
    | Assign
    | RequestConsent
    | ExpireConsent
    | Call
    | EnrollIn
    | Leave
)

WAITING = (Wait, WaitFor, Repeat, Call)  # steps an enrollment may stand still on by its own recipe


class Migration(msgspec.Struct, frozen=True):
    """From the version whose hash starts with `source`: where those standing on removed steps go."""

    source: str
    map: dict[str, str]


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One campaign, compiled. `title`, `state`, `priority` belong to the campaign, not to the version's hash."""

    campaign: str
    title: str = ""
    state: Literal["draft", "live", "paused", "retired"] = "live"
    priority: int = 50
    topic: str | None = None
    on_withdrawal: Literal["exit", "stay"] = "exit"
    on_change: Literal["pin", "migrate", "drain", "exit"] = "pin"
    pin_templates: bool = False
    enter: Enter
    only_if: Condition | None = None
    again: Again | None = None
    goal: Goal | None = None
    exits: tuple[Exit, ...] = ()
    window: Window | None = None
    steps: tuple[AnyStep, ...] = ()
    conditions: tuple[Condition, ...] = ()
    migrations: tuple[Migration, ...] = ()

    def index(self, step_id: str) -> int | None:
        """Where the step stands, None when this version has no such step."""
        return next((i for i, step in enumerate(self.steps) if step.id == step_id), None)

    def templates(self) -> set[str]:
        """Every template this version may print."""
        names = {name for step in self.steps if isinstance(step, Send) for name, _ in step.variants}
        return names | {step.template for step in self.steps if isinstance(step, Notify)}


def canonical(plan: Plan) -> bytes:
    """The bytes that are stored and hashed: sorted keys, defaults left out, no white space."""
    return msgspec.json.encode(plan, order="deterministic")


def version(plan: Plan) -> str:
    """The version's name: 16 hex digits of SHA-256 over what an enrollment walks. Title, state and priority may
    change without making a new version."""
    walked = msgspec.structs.replace(plan, title="", state="live", priority=50, migrations=())
    return hashlib.sha256(canonical(walked)).hexdigest()[:16]


def load(data: bytes) -> Plan:
    """The plan whose canonical JSON this is."""
    return msgspec.json.decode(data, type=Plan)

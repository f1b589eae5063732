"""What a single step can do, one builder an action; steps that hold other steps are in `steps`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nurture.campaign import plan
from nurture.campaign.declared import LEAD_FIELDS, field_type, lead_fields, locate
from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Got, Key, Kind, MapOf, Raw, Record, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import (
    Choice,
    Date,
    Flag,
    Number,
    Span,
    Text,
    is_address,
)
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.sends import SEND_KEYS, send
from nurture.campaign.reading.waits import WAIT_KEY, wait
from nurture.campaign.source import Mapping, Node, Scalar

Build = Callable[[Got, Context], plan.AnyStep | None]


# changes of the lead


def move(got: Got, at: Context) -> plan.Move | None:
    stage = got["move"]
    return None if stage is None else plan.Move(id=f"move-{stage}", stage=stage, reason=got["reason"])


def score(got: Got, at: Context) -> plan.AddScore | None:
    points = got["score"]
    if not points:
        return None
    return plan.AddScore(id=f"score-{'-'.join(points)}", points={name: float(n) for name, n in points.items()})


def _settings(node: Node, at: Context) -> dict[str, Any] | None:
    read = MapOf(Raw(), "'set'").read(node, at)
    if not read or not isinstance(node, Mapping):
        return None
    values: dict[str, Any] = {}
    fields = {**at.project.attributes, **{n: k for n, k in LEAD_FIELDS.items() if n not in _FIXED}}
    for key, value in node.entries:
        place = locate(fields, key.text)
        if place is None and key.text in lead_fields(at.project):
            at.add(key, "N214", f"{said(key)} is not a campaign's to change")
        elif place is None:
            at.unknown(key, "N313", "attribute of a lead", fields, "a lead")
        elif isinstance(value, Scalar) and value.empty:
            values[key.text] = None
        else:
            made = _VALUES.get(field_type(place[1]) or "", Text()).read(value, at)
            values[key.text] = (
                value.text if made is not None and isinstance(value, Scalar) and _is_date(place[1]) else made
            )
    return values


def _is_date(shape: Any) -> bool:
    return field_type(shape) == "date"


_FIXED = ("email", "external_id", "created_at", "owner")
_VALUES: dict[str, Kind] = {"number": Number(), "bool": Flag(), "date": Date()}


def set_fields(got: Got, at: Context) -> plan.SetFields | None:
    values = got["set"]
    return None if not values else plan.SetFields(id=f"set-{'-'.join(values)}", values=values)


def tag(got: Got, at: Context) -> plan.AddTag | None:
    return None if got["tag"] is None else plan.AddTag(id=f"tag-{got['tag']}", tag_name=got["tag"])


def untag(got: Got, at: Context) -> plan.RemoveTag | None:
    return None if got["untag"] is None else plan.RemoveTag(id=f"untag-{got['untag']}", tag_name=got["untag"])


# sales


def _deal(got: Got, at: Context) -> plan.OpenDeal | plan.MoveDeal | None:
    if "open" in got:
        if got["open"] is None:
            return None
        return plan.OpenDeal(
            id=f"open-deal-{got['open']}", pipeline=got["open"], amount=got["amount"], owner=got["owner"]
        )
    for key in ("amount", "owner"):
        if key in got:
            at.add(got.nodes[key], "N114", f"'{key}' belongs to 'open'")
    if got["move"] is None:
        return None
    return plan.MoveDeal(id=f"move-deal-{got['move']}", stage=got["move"], pipeline=got["pipeline"])


DEAL = Record(
    "'deal'",
    {
        "open": Key(Declared("pipeline"), "Opens a deal in this pipeline."),
        "move": Key(Declared("deal stage"), "Moves the open deal to this stage."),
        "amount": Key(Number("an amount", 0), "What it may be worth.", example=1200),
        "owner": Key(Text(), "Who it belongs to: an address or 'owner'.", example="owner"),
        "pipeline": Key(Declared("pipeline"), "Which pipeline's deal moves, where there are several."),
    },
    _deal,
    one_of=("open", "move"),
)


def deal(got: Got, at: Context) -> plan.AnyStep | None:
    made: plan.AnyStep | None = got["deal"]
    return made


class _Recipient:
    noun = "'owner', an address, a team or a channel"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        known = ["owner", *at.project.teams, *at.project.channels]
        if found.text in known or is_address(found.text):
            return found.text
        at.unknown(found, "N306", "team or channel", known)
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1, "examples": ["owner"]}


def _notify(got: Got, at: Context) -> plan.Notify | None:
    if not got.whole("to", "template"):
        return None
    node = got.nodes["template"]
    if isinstance(node, Scalar):
        at.refer("template", node, internal=True)
    return plan.Notify(id=got["template"], to=got["to"], template=got["template"])


NOTIFY = Record(
    "'notify'",
    {
        "to": Key(_Recipient(), "'owner', an address, a team or a channel.", required=True),
        "template": Key(
            Via(Text("a template").read, lambda: Declared("template")),
            "What they read; such templates live under internal/.",
            required=True,
            example="internal/trade-lead",
        ),
    },
    _notify,
)


def notify(got: Got, at: Context) -> plan.Notify | None:
    made: plan.Notify | None = got["notify"]
    return made


def assign(got: Got, at: Context) -> plan.Assign | None:
    return None if got["assign"] is None else plan.Assign(id=f"assign-{got['assign']}", team=got["assign"])


def _consent(got: Got, at: Context) -> plan.AnyStep | None:
    topic = got["request"] or got["expire"]
    if topic is None:
        return None
    if "request" in got:
        return plan.RequestConsent(id=f"request-{topic}", topic=topic)
    return plan.ExpireConsent(id=f"expire-{topic}", topic=topic)


CONSENT = Record(
    "'consent'",
    {
        "request": Key(Declared("topic"), "Sends the confirmation mail for this topic."),
        "expire": Key(Declared("topic"), "Ends the consent. No step can grant one."),
    },
    _consent,
    one_of=("request", "expire"),
)


def consent(got: Got, at: Context) -> plan.AnyStep | None:
    made: plan.AnyStep | None = got["consent"]
    return made


# the outside, other campaigns, the end


CALL = Record(
    "'call'",
    {
        "webhook": Key(Declared("webhook"), "A webhook of config.yaml.", required=True),
        "body": Key(
            MapOf(Text(), "'body'"),
            "What is sent as JSON; values may use {{ lead.… }}.",
            example={"email": "{{ lead.email }}"},
        ),
    },
)


def call(got: Got, at: Context) -> plan.Call | None:
    inner = got["call"]
    if inner is None or inner["webhook"] is None:
        return None
    limit = got.get("up_to", Duration(seconds=3600))
    body = inner.get("body", {})
    name = inner["webhook"]
    return plan.Call(id=f"call-{name}", webhook=name, body=body, or_exit=got["or_fail"] == "exit", up_to=limit)


def enroll(got: Got, at: Context) -> plan.EnrollIn | None:
    return None if got["enroll"] is None else plan.EnrollIn(id=f"enroll-{got['enroll']}", campaign=got["enroll"])


def leave(got: Got, at: Context) -> plan.Leave | None:
    return None if got["exit"] is None else plan.Leave(id=f"exit-{got['exit'].replace(' ', '-')}", reason=got["exit"])


SIMPLE: dict[str, tuple[dict[str, Key], Build]] = {
    "send": (SEND_KEYS, send),
    "wait": ({"wait": WAIT_KEY}, wait),
    "move": (
        {
            "move": Key(Declared("stage"), "Moves the lead to this stage, by the rules of the funnel."),
            "reason": Key(Text("a reason"), "Why; must be written to move backwards.", example="no interest"),
        },
        move,
    ),
    "score": (
        {
            "score": Key(
                MapOf(Number(), "'score'", Declared("score")),
                "Adds points, such as {interest: +10}.",
                example={"interest": 10},
            )
        },
        score,
    ),
    "set": (
        {
            "set": Key(
                Via(_settings, {"type": "object", "minProperties": 1}),
                "Sets attributes of the lead.",
                example={"favourite": "green"},
            )
        },
        set_fields,
    ),
    "tag": ({"tag": Key(Text("a tag"), "Puts a tag on the lead.", example="hot")}, tag),
    "untag": ({"untag": Key(Text("a tag"), "Takes a tag off the lead.", example="hot")}, untag),
    "deal": ({"deal": Key(DEAL, "Hands over to a sales pipeline.")}, deal),
    "notify": ({"notify": Key(NOTIFY, "Tells a colleague.")}, notify),
    "assign": ({"assign": Key(Declared("team"), "Makes the next of the team the owner.")}, assign),
    "consent": ({"consent": Key(CONSENT, "Asks for a consent, or ends one.")}, consent),
    "call": (
        {
            "call": Key(CALL, "A signed HTTP call; its JSON answer is enrollment.data.NAME."),
            "or_fail": Key(Choice(("go", "exit")), "What happens without an answer.", default="go"),
            "up_to": Key(Span(), "How long to wait for the answer.", default="1h"),
        },
        call,
    ),
    "enroll": ({"enroll": Key(Declared("campaign"), "Puts the lead into another campaign.")}, enroll),
    "exit": ({"exit": Key(Text("a reason"), "Ends the enrollment for this reason.", example="not a customer")}, leave),
}

"""What a single step can do, one builder an action; steps that hold other steps are in `blocks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nurture.campaign import plan
from nurture.campaign.declared import LEAD_FIELDS, field_type, lead_fields, locate
from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.dates import DateSource, moved
from nurture.campaign.reading.kinds import Either, Got, Key, Kind, MapOf, Raw, Record, Schema, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import (
    Choice,
    Clock,
    Date,
    Days,
    Flag,
    Name,
    Number,
    Share,
    Span,
    Text,
    is_address,
)
from nurture.campaign.reading.windows import NO_WINDOW, STEP_WINDOW
from nurture.campaign.source import Mapping, Node, Scalar
from nurture.campaign.window import Window

_TEXT: Schema = {"type": "string"}
Build = Callable[[Got, Context], plan.AnyStep | None]
SHARE_SLACK = 0.05  # 33.3 % thrice is meant as a whole


def shares_add_up(shares: dict[str, float], node: Node, at: Context) -> bool:
    total = sum(shares.values())
    if abs(total - 100) > SHARE_SLACK + 0.05 * len(shares):
        at.add(node, "N322", f"the shares add up to {total:g}%, not to 100%")
        return False
    return True


# send


def _template(node: Node, at: Context) -> Got | str | None:
    """A template, refers to which are noted once the step's class is known."""
    found = word(node, at, "the name of a template")
    return found.text if found else None


def _variants(got: Got, at: Context) -> Got | None:
    if got["variants"] is None or ("pick" in got and got["pick"] is None):
        return None
    return got if shares_add_up(got["variants"], got.nodes["variants"], at) else None


def _pick(got: Got, at: Context) -> plan.Pick | None:
    if got["by"] is None or got["after"] is None:
        return None
    return plan.Pick(got["by"], got["after"], got["up_to"])


_PICK = Record(
    "'pick'",
    {
        "by": Key(Choice(("goal", "clicked")), "What makes one the better.", required=True),
        "after": Key(Number("a count", 1, whole=True), "So many sent, then the better one takes all.", required=True),
        "up_to": Key(Span(), "Or once this time is over."),
    },
    _pick,
)
_SEND = Either(
    "a template or {variants: …}",
    Via(_template, _TEXT),
    None,
    Record(
        "'send'",
        {
            "variants": Key(
                MapOf(Share(), "'variants'", Name("a template")), "Templates with their shares.", required=True
            ),
            "pick": Key(_PICK, "The better one takes all."),
        },
        _variants,
    ),
)


def _if_late(got: Got, at: Context) -> plan.IfLate | None:
    return plan.IfLate(got["after"], got["do"]) if got.whole("after", "do") else None


_IF_LATE = Record(
    "'if_late'",
    {
        "after": Key(Span(), "So long after it was due.", required=True),
        "do": Key(Choice(("send", "skip", "exit")), "What then happens.", required=True),
    },
    _if_late,
)


class _From:
    noun = "an e-mail address or 'owner'"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        address = found.text.rsplit("<", 1)[-1].removesuffix(">")
        if found.text != "owner" and not is_address(address):
            at.add(node, "N211", f"{said(node)} is neither an e-mail address nor 'owner'")
            return None
        return found.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return _TEXT


SEND_KEYS = {
    "send": Key(_SEND, "One mail: a template, or {variants: {a: 50%, b: 50%}}."),
    "class": Key(Choice(("marketing", "service")), "service: what the person asked for or is owed."),
    "topic": Key(Declared("topic"), "The topic, if not the campaign's."),
    "subject": Key(Text(), "Overrides the template's subject."),
    "from": Key(_From(), "An address, or 'owner'."),
    "reply_to": Key(_From(), "Where answers go: an address, or 'owner'."),
    "attach_utm": Key(Flag(), "Adds utm_ parameters to the links."),
    "window": Key(STEP_WINDOW, "Overrides the campaign's window; 'none' lifts it."),
    "if_late": Key(_IF_LATE, "What to do when it can only go late."),
}


def send(got: Got, at: Context) -> plan.Send | None:
    mail, service = got["send"], got["class"] == "service"
    if mail is None:
        return None
    variants = ((mail, 100.0),) if isinstance(mail, str) else tuple(mail["variants"].items())
    _refer_templates(got.nodes["send"], at, service)
    if service and "topic" in got:
        at.add(got.nodes["topic"], "N114", "a service mail has no topic", "leave 'topic' out, or 'class: service'")
    window = got["window"]
    return plan.Send(
        id=variants[0][0] if isinstance(mail, str) else "send",
        variants=variants,
        service=service,
        topic=got["topic"],
        subject=got["subject"],
        sender=got["from"],
        reply_to=got["reply_to"],
        attach_utm=bool(got["attach_utm"]),
        window=window if isinstance(window, Window) else None,
        no_window=window == NO_WINDOW,
        if_late=got["if_late"],
        pick=None if isinstance(mail, str) else mail["pick"],
    )


def _refer_templates(node: Node, at: Context, service: bool) -> None:
    if isinstance(node, Scalar):
        at.refer("template", node, service=service)
    elif isinstance(node, Mapping) and isinstance(variants := node.get("variants"), Mapping):
        for name, _ in variants.entries:
            at.refer("template", name, service=service)


# wait


def _wait(got: Got, at: Context) -> plan.Wait | None:
    if "until" in got:
        if got["until"] is None or ("days" in got and got["days"] is None):
            return None
        for key in ("offset", "at"):
            if key in got:
                at.add(got.nodes[key], "N114", f"'{key}' belongs to 'date', not to 'until'")
        days = got.get("days", ())
        return plan.Wait(id=f"wait-until-{got['until']}", until=got["until"], days=days)
    if "days" in got:
        at.add(got.nodes["days"], "N114", "'days' belongs to 'until'", "such as {until: 09:00, days: mon-fri}")
    ref = moved(got)
    if ref is None:
        return None
    return plan.Wait(
        id=f"wait-{'.'.join((ref.source, *ref.path)) if ref.path else ref.text}{_signed(ref.offset)}", date=ref
    )


def _signed(offset: Duration) -> str:
    return "" if offset.zero else f"{'' if offset.sign < 0 else '+'}{offset}"


DATE_KEYS = {
    "date": Key(DateSource(), "A date: lead.FIELD, entry.PROPERTY or written out."),
    "offset": Key(Span(signed=True), "Moved by so much, such as -30d."),
    "at": Key(Clock(), "At this local time of that day."),
}
_WAIT = Either(
    "a duration such as 2d, {until: …} or {date: …}",
    Span(),
    None,
    Record(
        "'wait'",
        {
            "until": Key(Clock(), "The next time the clock says so."),
            "days": Key(Days(), "On one of these weekdays."),
            **DATE_KEYS,
        },
        _wait,
        one_of=("until", "date"),
    ),
)


def wait(got: Got, at: Context) -> plan.Wait | None:
    value = got["wait"]
    if isinstance(value, Duration):
        return plan.Wait(id=f"wait-{value}", duration=value)
    return value if isinstance(value, plan.Wait) else None


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
            at.unknown(key, "N313", "attribute of a lead", fields)
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
        "amount": Key(Number("an amount", 0), "What it may be worth."),
        "owner": Key(Text(), "Who it belongs to: an address or 'owner'."),
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
        return _TEXT


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
        "template": Key(Text("a template"), "What they read; such templates live under internal/.", required=True),
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
        "body": Key(MapOf(Text(), "'body'"), "What is sent as JSON; values may use {{ lead.… }}."),
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


WAIT_KEY = Key(_WAIT, "Stands still: 2d, {until: 09:00, days: mon-fri} or {date: lead.FIELD, offset: -1d}.")
SIMPLE: dict[str, tuple[dict[str, Key], Build]] = {
    "send": (SEND_KEYS, send),
    "wait": ({"wait": WAIT_KEY}, wait),
    "move": (
        {
            "move": Key(Declared("stage"), "Moves the lead to this stage, by the rules of the funnel."),
            "reason": Key(Text("a reason"), "Why; must be written to move backwards."),
        },
        move,
    ),
    "score": (
        {"score": Key(MapOf(Number(), "'score'", Declared("score")), "Adds points, such as {interest: +10}.")},
        score,
    ),
    "set": ({"set": Key(Via(_settings, {"type": "object"}), "Sets attributes of the lead.")}, set_fields),
    "tag": ({"tag": Key(Text("a tag"), "Puts a tag on the lead.")}, tag),
    "untag": ({"untag": Key(Text("a tag"), "Takes a tag off the lead.")}, untag),
    "deal": ({"deal": Key(DEAL, "Hands over to a sales pipeline.")}, deal),
    "notify": ({"notify": Key(NOTIFY, "Tells a colleague.")}, notify),
    "assign": ({"assign": Key(Declared("team"), "Makes the next of the team the owner.")}, assign),
    "consent": ({"consent": Key(CONSENT, "Asks for a consent, or ends one.")}, consent),
    "call": (
        {
            "call": Key(CALL, "A signed HTTP call; its JSON answer is enrollment.data.NAME."),
            "or_fail": Key(Choice(("go", "exit")), "What happens without an answer."),
            "up_to": Key(Span(), "How long to wait for the answer; 1h if not written."),
        },
        call,
    ),
    "enroll": ({"enroll": Key(Declared("campaign"), "Puts the lead into another campaign.")}, enroll),
    "exit": ({"exit": Key(Text("a reason"), "Ends the enrollment for this reason.")}, leave),
}

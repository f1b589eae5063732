"""The `send` step: one mail, or templates in competition."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, MapOf, Record, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Flag, Name, Number, Share, Span, Text, is_address
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.windows import NO_WINDOW, STEP_WINDOW
from nurture.campaign.source import Mapping, Node, Scalar
from nurture.campaign.window import Window

SHARE_SLACK = 0.05  # 33.3 % thrice is meant as a whole


def shares_add_up(shares: dict[str, float], node: Node, at: Context) -> bool:
    total = sum(shares.values())
    if abs(total - 100) > SHARE_SLACK + 0.05 * len(shares):
        at.add(node, "N322", f"the shares add up to {total:g}%, not to 100%")
        return False
    return True


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
        "after": Key(
            Number("a count", 1, whole=True), "So many sent, then the better one takes all.", required=True, example=500
        ),
        "up_to": Key(Span(), "Or once this time is over.", example="7d"),
    },
    _pick,
)
_SEND = Either(
    "a template or {variants: …}",
    Via(_template, lambda: Declared("template")),
    None,
    Record(
        "'send'",
        {
            "variants": Key(
                MapOf(Share(), "'variants'", Name("a template")),
                "Templates with their shares.",
                required=True,
                example={"welcome/hello": "50%", "welcome/hello-b": "50%"},
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
        return {
            "type": "string",
            "pattern": r"^owner$|@",
            "patternErrorMessage": "Write an e-mail address or 'owner'.",
            "examples": ["owner"],
        }


SEND_KEYS = {
    "send": Key(_SEND, "One mail: a template, or {variants: {a: 50%, b: 50%}}."),
    "class": Key(
        Choice(("marketing", "service")), "service: what the person asked for or is owed.", default="marketing"
    ),
    "topic": Key(Declared("topic"), "The topic, if not the campaign's."),
    "subject": Key(Text(), "Overrides the template's subject.", example="Your cup is waiting"),
    "from": Key(_From(), "An address, or 'owner'.", example="Lea <lea@frunza.example>"),
    "reply_to": Key(_From(), "Where answers go: an address, or 'owner'."),
    "attach_utm": Key(Flag(), "Adds utm_ parameters to the links.", example=True),
    "window": Key(STEP_WINDOW, "Overrides the campaign's window; 'none' lifts it.", example="none"),
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

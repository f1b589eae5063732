"""Where a lead stands, as config.yaml declares it: stages of funnels, pipelines of deals, scores."""

from __future__ import annotations

from dataclasses import dataclass

from nurture.campaign.project import DealStage, Recycle
from nurture.campaign.reading.conditions import CONDITION
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, MapOf, Raw, Record, Via
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Flag, Name, Number, Share, Span, Text
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.tests_of import PROPERTIES
from nurture.campaign.source import Mapping, Node, Scalar

_CONDITION = Raw(lambda: CONDITION)


# funnels and pipelines


def _stage(node: Node, at: Context) -> Got | None:
    if isinstance(node, Scalar):
        name = Name("a stage", dots=False).read(node, at)
        return None if name is None else Got(node.mark, Mapping(node.mark, ()), {"name": name}, {"name": node})
    if isinstance(node, Mapping) and len(node.entries) == 1 and isinstance(node.entries[0][1], Mapping):
        key, inner = node.entries[0]  # `- mql: {sla: 2d}`
        got: Got | None = _STAGE_BODY.collect(inner, at, f"stage {said(key)}")
        if got is not None:
            got.values["name"], got.nodes["name"] = key.text, key
        return got
    found: Got | None = _STAGE.read(node, at)
    return found if found is not None and found["name"] else None


_STAGE_BODY = Record(
    "a stage",
    {
        "band": Key(Choice(("tofu", "mofu", "bofu")), "Top, middle or bottom of the funnel."),
        "enter_if": Key(
            _CONDITION, "Leads for whom this holds move here by themselves.", example={"consent": "newsletter"}
        ),
        "sla": Key(Span(), "How long a lead may stand here.", example="2d"),
        "moves": Key(
            ListOf(Text("a stage"), bare=True),
            "Stages one may be moved to from here besides those further on.",
            example=["subscriber"],
        ),
        "left": Key(Flag(), "Who comes here has gone: no step forward, and nothing won, in reports.", default=False),
    },
)
_STAGE_NAME = Key(Name("a stage", dots=False), "What it is called.", required=True, example="regular")
_STAGE = Record("a stage", {"name": _STAGE_NAME, **_STAGE_BODY.keys})


@dataclass(frozen=True)
class _NamedOnce:
    """A name, a mapping with the name in it, or `NAME: {…}`."""

    whole: Record
    body: Record

    def schema(self, defs: dict[str, Schema]) -> Schema:
        under: Schema = {"type": "object", "additionalProperties": self.body.schema(defs)}
        return {
            "anyOf": [
                self.whole.keys["name"].kind.schema(defs),
                self.whole.schema(defs),
                {**under, "minProperties": 1, "maxProperties": 1},
            ]
        }


STAGES = ListOf(Via(_stage, lambda: _NamedOnce(_STAGE, _STAGE_BODY)), "a list of stages")
IN_ORDER = ["visitor", "subscriber", {"name": "mql", "band": "mofu", "sla": "2d"}, "customer"]
_FUNNEL = Record("a funnel", {"stages": Key(STAGES, "In order.", required=True, example=IN_ORDER)})
FUNNEL_SHORT = Either("a list of stages", None, STAGES, _FUNNEL)


def _deal_stage(node: Node, at: Context) -> DealStage | None:
    if isinstance(node, Scalar):
        name = Name("a stage").read(node, at)
        return None if name is None else DealStage(name)
    if isinstance(node, Mapping) and len(node.entries) == 1 and isinstance(node.entries[0][1], Mapping):
        key, inner = node.entries[0]
        got: Got | None = _DEAL_STAGE_BODY.collect(inner, at, f"stage {said(key)}")
        return None if got is None else _probable(key.text, got["probability"])
    got = _DEAL_STAGE.read(node, at)
    return _probable(got["name"], got["probability"]) if got is not None and got["name"] else None


def _probable(name: str, share: float | None) -> DealStage:
    return DealStage(name, None if share is None else share / 100)


_DEAL_STAGE_BODY = Record("a stage", {"probability": Key(Share(), "How likely such a deal is won.")})
_DEAL_STAGE = Record(
    "a stage",
    {"name": Key(Name("a stage"), "What it is called.", required=True, example="tasting"), **_DEAL_STAGE_BODY.keys},
)
RECYCLE = Record(
    "'recycle'",
    {
        "to": Key(Declared("stage"), "The stage a lost deal's lead goes back to.", required=True),
        "after": Key(Span(long=True), "Once this time has passed.", required=True, example="90d"),
    },
    lambda got, at: Recycle(got["to"], got["after"]) if got.whole("to", "after") else None,
)
_REASONS = ListOf(Text("a reason"), "a list of reasons", bare=True, empty=True)
PIPELINE = Record(
    "a pipeline",
    {
        "stages": Key(
            ListOf(Via(_deal_stage, lambda: _NamedOnce(_DEAL_STAGE, _DEAL_STAGE_BODY)), "a list of stages"),
            "In order.",
            required=True,
            example=[{"name": "tasting", "probability": "35%"}, "quote"],
        ),
        "won": Key(_REASONS, "Reasons one may give for a deal won.", example=["signed"]),
        "lost": Key(_REASONS, "Reasons one may give for a deal lost.", example=["price", "no answer"]),
        "recycle": Key(Raw(lambda: RECYCLE), "What becomes of the lead of a lost deal."),
    },
)


# scores


def _threshold(node: Node, at: Context) -> tuple[float, float] | None:
    if isinstance(node, Scalar):
        value = Number("a threshold").read(node, at)
        return None if value is None else (float(value), 0.0)
    got: Got | None = _THRESHOLD.read(node, at)
    if got is None or got["at"] is None:
        return None
    return float(got["at"]), float(got.get("hysteresis", 0))


_THRESHOLD = Record(
    "a threshold",
    {
        "at": Key(Number(), "Crossed upward at this value.", required=True, example=40),
        "hysteresis": Key(Number(least=0), "Fallen only so much below it.", default=0, example=5),
    },
)
RULE = Record(
    "a score rule",
    {
        "event": Key(Declared("event"), "Points for each such event; they decay."),
        "where": Key(PROPERTIES, "Tests on the event's properties."),
        "if": Key(_CONDITION, "Points while this holds; they do not decay.", example={"lead": {"country": "FR"}}),
        "points": Key(Number(), "How many; negative ones take away.", required=True, example=15),
    },
    one_of=("event", "if"),
)
RULES = [{"event": "page_viewed", "points": 5}]
SCORE = Record(
    "a score",
    {
        "rules": Key(
            ListOf(Raw(lambda: RULE), empty=True), "Points for events or while conditions hold.", example=RULES
        ),
        "at_most": Key(Number(), "It never counts more than this.", example=100),
        "half_life": Key(Span(long=True), "Points of events are worth half after this time.", example="30d"),
        "thresholds": Key(
            MapOf(Via(_threshold, lambda: Either("a threshold", Number(), None, _THRESHOLD)), "'thresholds'"),
            "Values whose crossing is an event.",
            example={"warm": 25, "hot": {"at": 50, "hysteresis": 5}},
        ),
    },
)

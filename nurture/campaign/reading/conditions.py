"""Conditions: mappings whose keys must all hold, typed by what the project declares."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from nurture.campaign import condition as c
from nurture.campaign.declared import NAMING, account_fields, event_properties, field_type, lead_fields, locate
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, Kind, ListOf, MapOf, Raw, Record, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Flag, Number, Span, Text
from nurture.campaign.reading.tests_of import A_PROPERTY, ONE_TEST, PROPERTIES, TESTS_ON, read_fields, read_tests
from nurture.campaign.source import Mapping, Node, Scalar, Sequence

_BY = Choice(("account",))


def read_condition(node: Node, at: Context) -> c.Condition | None:
    """The condition, None where any part of it had a problem."""
    condition: c.Condition | None = CONDITION.read(node, at)
    return condition


def _build(got: Got, at: Context) -> c.Condition | None:
    if not got.nodes:
        if not got.node.entries:
            at.findings.add(got.mark, "N115", "this condition tests nothing")
        return None
    by = got["by"] == "account"
    if "by" in got and not got.nodes.keys() & {"stage", "in_campaign", "did", "did_not", "mail"}:
        at.add(
            got.nodes["by"], "N114", "'by: account' needs a test on stage, did, did_not, mail or in_campaign beside it"
        )
    items: list[c.Condition] = []
    for key in got.nodes:
        value = got[key]
        if key == "by":
            continue
        if value is None or value == []:
            return None
        items += _pieces(key, value, by, got)
    return items[0] if len(items) == 1 else c.All(tuple(items))


def _pieces(key: str, value: Any, by: bool, got: Got) -> list[c.Condition]:
    """What one key of a condition says."""
    match key:
        case "all":
            return [c.All(value)]
        case "any":
            return [c.Any(value)]
        case "not" | "did_not":
            inner = _by_account(value, by) if key == "did_not" else value
            return [c.Not(inner)]
        case "lead" | "account" | "entry" | "score":
            return list(value)
        case "in_stage_for":
            stage = got["stage"]
            return [structs.replace(value, beside=stage) if isinstance(stage, c.InStage) else value]
        case "stage" | "did" | "mail" | "in_campaign" | "finished" | "reached_goal":
            return [_by_account(value, by)]
    return [value]


def _by_account(condition: Any, by: bool) -> Any:
    return structs.replace(condition, by_account=True) if by else condition


def _stage_range(got: Got, at: Context) -> c.InStage | None:
    bounds = [got[key] for key in ("at_least", "before") if key in got]
    names = got["in"] or ()
    if None in bounds or ("in" in got and not names) or not (bounds or names):
        if not got.nodes:
            at.findings.add(got.mark, "N113", "a range of stages needs 'at_least' or 'before'")
        return None
    if len(bounds) == 2 and at.project.funnel_of(bounds[0]) is not at.project.funnel_of(bounds[1]):
        at.add(got.nodes["before"], "N304", f"'{bounds[0]}' and '{bounds[1]}' are stages of different funnels")
        return None
    if len(bounds) == 2 and (funnel := at.project.funnel_of(bounds[0])):
        order = funnel.names()
        if order.index(bounds[0]) >= order.index(bounds[1]):
            at.add(got.nodes["before"], "N214", f"no stage is from '{bounds[0]}' on and before '{bounds[1]}'")
            return None
    return c.InStage(names, got["at_least"], got["before"], got["by"] == "account")


def _in_stage_for(got: Got, at: Context) -> c.InStageFor | None:
    if not got.nodes or any(got[key] is None for key in got.nodes):
        if not got.nodes:
            at.findings.add(got.mark, "N113", "'in_stage_for' needs a bound such as {at_least: 14d}")
        return None
    return c.InStageFor(**got.values)


def read_where(node: Node, event: str, at: Context, *, of: str = "") -> c.Condition | None:
    """Tests on an event's properties, all to hold. `of` is the list's words in a message."""
    shapes = event_properties(at.project, event, forms_named(node)) if event else None
    if shapes is None:
        return None  # the event itself is the problem, and said
    what = f"property of '{event}'{of}"
    fields = read_fields(node, "event", shapes, at, what, NAMING.get(event))
    if not fields or (isinstance(node, Mapping) and len(fields) < len(node.entries)):
        return None
    return fields[0] if len(fields) == 1 else c.All(tuple(fields))


def forms_named(where: Node | None) -> tuple[str, ...]:
    """The forms a `where` narrows `form.submitted` to, empty where it names none."""
    form = where.get("form") if isinstance(where, Mapping) else None
    if isinstance(form, Mapping):
        form = form.get("is") or form.get("in")
    items = form.items if isinstance(form, Sequence) else (form,)
    return tuple(item.text for item in items if isinstance(item, Scalar))


def read_property(node: Node, shapes: dict[str, Shape], event: str, at: Context) -> tuple[str, Shape] | None:
    """The name of one declared property, dotted where it lies deeper."""
    found = word(node, at, "the name of a property")
    if found is None:
        return None
    place = locate(shapes, found.text)
    if place is None:
        at.unknown(found, "N302", f"property of '{event}'", shapes, f"'{event}'")
        return None
    return found.text, place[1]


def read_same(node: Node, event: str, at: Context) -> str | None:
    """The property that must equal the enrollment's key."""
    found = word(node, at, "the name of a property")
    if found is None:
        return None
    if at.scene.key is None and at.scene.unsure:
        return None
    if at.scene.key is None:
        hint = "write 'key: PROPERTY' under 'enter', or leave 'same' out"
        at.add(node, "N317", "'same' compares with the enrollment's key, and there is none here", hint)
        return None
    shapes = event_properties(at.project, event)
    if shapes is None:
        return None
    known = read_property(found, shapes, event, at)
    return known[0] if known else None


def _did(got: Got, at: Context) -> c.Did | None:
    event = got["event"]
    if event is None:
        return None
    where = read_where(got.nodes["where"], event, at) if "where" in got else None
    same = read_same(got.nodes["same"], event, at) if "same" in got else None
    total = _sum(got.nodes["sum"], event, at) if "sum" in got else None
    bad = ("where" in got and where is None) or ("same" in got and same is None) or ("sum" in got and total is None)
    if "since_entry" in got and got["since_entry"] and not at.scene.enrolled:
        at.add(got.nodes["since_entry"], "N318", "nobody has entered yet where this is asked", "use 'within: 30d'")
        bad = True
    low, high = got["at_least"], got["at_most"]
    if low is not None and high is not None and low > high:
        at.add(got.nodes["at_most"], "N214", f"nothing is at least {low:g} and at most {high:g}")
        bad = True
    if "sum" in got and low is None and high is None:
        at.findings.add(got.mark, "N113", "'sum' needs 'at_least' or 'at_most' beside it")
        bad = True
    if bad or any(got[key] is None for key in got.nodes):
        return None
    return c.Did(
        event=event,
        where=where,
        same=same,
        at_least=None if low is None else float(low),
        at_most=None if high is None else float(high),
        sum=total,
        within=got["within"],
        since_entry=bool(got["since_entry"]),
        by_account=got["by"] == "account",
    )


def _sum(node: Node, event: str, at: Context) -> str | None:
    found = read_property(node, event_properties(at.project, event) or {}, event, at)
    if found and field_type(found[1]) != "number":
        at.add(node, "N214", f"{said(node)} is not declared as a number, so it does not add up")
        return None
    return found[0] if found else None


def _mail(got: Got, at: Context) -> c.Mailed | None:
    what: Any = next((key for key in MAILED if key in got), None)
    if what is None or any(got[key] is None for key in got.nodes):
        return None
    name = word(got.nodes[what], at, "a template, a step id or 'any'")
    of: Any = got["of"] or ("enrollment" if at.scene.enrolled else "all")
    if of != "all" and at.scene.campaign is None:
        at.add(got.nodes["of"], "N318", f"there is no {of} where this is asked", "leave 'of' out: all mails count")
        return None
    if of == "enrollment" and not at.scene.enrolled:
        at.add(got.nodes["of"], "N318", "nobody has entered yet where this is asked", "write 'of: campaign'")
        return None
    if name is None:
        return None
    if name.text != "any":
        at.refer("mail" if of == "all" else "own mail", name)
    campaign = at.scene.campaign if of == "campaign" else None
    return c.Mailed(what, name.text, of, campaign, got["within"], got["by"] == "account")


def _deal(got: Got, at: Context) -> c.DealIs | None:
    if not got.nodes or any(got[key] is None for key in got.nodes):
        if not got.nodes:
            at.findings.add(got.mark, "N113", "'deal' needs a test: stage, pipeline, amount or open")
        return None
    return c.DealIs(got["stage"] or (), got["pipeline"], got["amount"] or (), got["open"])


def _enrolled(key: str) -> Kind:
    def build(got: Got, at: Context) -> c.Enrolled | None:
        if got["campaign"] is None or ("by" in got and got["by"] is None):
            return None
        return c.Enrolled(key, got["campaign"], got["by"] == "account")  # type: ignore[arg-type]

    def bare(node: Node, at: Context) -> c.Enrolled | None:
        name = Declared("campaign").read(node, at)
        return None if name is None else c.Enrolled(key, name)  # type: ignore[arg-type]

    keys = {
        "campaign": Key(Declared("campaign"), "The campaign.", required=True),
        "by": Key(_BY, "Anyone of the lead's company."),
    }
    return Either(
        "the name of a campaign", Via(bare, lambda: Declared("campaign")), None, Record(f"'{key}'", keys, build)
    )


def _scores(node: Node, at: Context) -> list[c.ScoreIs] | None:
    read = MapOf(Raw(), "'score'", Declared("score")).read(node, at)
    if not read:
        if read == {} and isinstance(node, Mapping) and not node.entries:
            at.add(node, "N115", "no score is tested here")
        return None
    tests = {name: read_tests(value, "number", at) for name, value in read.items()}
    found = [c.ScoreIs(name, test) for name, test in tests.items() if test]
    return found if isinstance(node, Mapping) and len(found) == len(node.entries) else None


def _fields(scope: c.Scope) -> Kind:
    def read(node: Node, at: Context) -> list[c.Field] | None:
        match scope:
            case "lead":
                shapes: dict[str, Shape] | None = lead_fields(at.project)
                what = "attribute of a lead"
            case "account":
                shapes, what = account_fields(at.project), "attribute of an account"
            case _:
                shapes, what = at.scene.entry, "property of the entry event"
        if scope == "entry" and at.scene.unsure:
            return None
        if shapes is None:
            hint = "'entry' is the event that opened the enrollment; here no event did"
            at.add(node, "N318", "there is no entry event where this is asked", hint)
            return None
        fields = read_fields(node, scope, shapes, at, what)
        return fields if fields and isinstance(node, Mapping) and len(fields) == len(node.entries) else None

    return Via(read, lambda: TESTS_ON[scope])


def _wrap(make: type[c.Tagged] | type[c.InSegment] | type[c.Consented], kind: Kind) -> Kind:
    def read(node: Node, at: Context) -> c.Condition | None:
        name = kind.read(node, at)
        return None if name is None else make(name)

    return Via(read, lambda: kind)


def _all_read(node: Node, at: Context) -> tuple[c.Condition, ...] | None:
    found: tuple[c.Condition, ...] | None = ListOf(CONDITION, "a list of conditions").read(node, at)
    complete = found and isinstance(node, Sequence) and len(found) == len(node.items)
    return found if complete else None


def _one_stage(node: Node, at: Context) -> c.InStage | None:
    found: tuple[str, ...] | None = ListOf(Declared("stage"), bare=True).read(node, at)
    wanted = len(node.items) if isinstance(node, Sequence) else 1
    return c.InStage(found) if found and len(found) == wanted else None


_STAGE_LIST = ListOf(Declared("stage"), "a list of stages", bare=True)
_STAGE_RANGE = Record(
    "a range of stages",
    {
        "at_least": Key(Declared("stage"), "This stage or one further on."),
        "before": Key(Declared("stage"), "Any stage before this one."),
        "in": Key(_STAGE_LIST, "One of these stages.", example=["mql", "customer"]),
        "by": Key(_BY, "Anyone of the lead's company."),
    },
    _stage_range,
)
_STAGE = Either(
    "a stage, a list of stages or a range",
    Via(_one_stage, lambda: Declared("stage")),
    Via(_one_stage, lambda: ListOf(Declared("stage"))),
    _STAGE_RANGE,
)
_BOUNDS = Record(
    "'in_stage_for'",
    {
        "at_least": Key(Span(long=True), "This long or longer.", example="14d"),
        "at_most": Key(Span(long=True), "This long or shorter.", example="14d"),
        "more_than": Key(Span(long=True), "Longer than this.", example="14d"),
        "less_than": Key(Span(long=True), "Shorter than this.", example="14d"),
    },
    _in_stage_for,
)
_DID_KEYS = {
    "event": Key(Declared("event"), "The event; 'any' is any event of your own.", required=True),
    "where": Key(PROPERTIES, "Tests on the event's properties."),
    "same": Key(A_PROPERTY, "This property must equal the enrollment's key."),
    "at_least": Key(Number(least=0), "How often at least, or the least sum.", example=2),
    "at_most": Key(Number(least=0), "How often at most, or the greatest sum.", example=5),
    "sum": Key(A_PROPERTY, "Add up this property instead of counting.", example="total"),
    "within": Key(Span(long=True), "Only events of this last time.", example="30d"),
    "since_entry": Key(Flag(), "Only events since the enrollment began."),
    "by": Key(_BY, "By anyone of the lead's company."),
}
_DID_SO = {"event": "order_completed", "within": "30d"}
DID = Record("'did'", _DID_KEYS, _did)
DID_NOT = Record("'did_not'", _DID_KEYS, _did)
MAILED = ("sent", "clicked", "opened", "bounced", "replied")
_MAIL = Record(
    "'mail'",
    {
        **{
            key: Key(Raw(lambda: Declared("mail")), f"A template, a step id or 'any' that was {key}.") for key in MAILED
        },
        "of": Key(Choice(("enrollment", "campaign", "all")), "Which mails count."),
        "within": Key(Span(long=True), "Only in this last time.", example="30d"),
        "by": Key(_BY, "Mails to anyone of the lead's company."),
    },
    _mail,
    one_of=MAILED,
)
_DEAL = Record(
    "'deal'",
    {
        "stage": Key(
            ListOf(Declared("deal stage"), bare=True),
            "The deal stands in this stage, or one of these.",
            example=["tasting", "quote"],
        ),
        "pipeline": Key(Declared("pipeline"), "The pipeline it is in."),
        "amount": Key(
            Via(lambda node, at: read_tests(node, "number", at), lambda: ONE_TEST),
            "A test on its amount.",
            example={"at_least": 1000},
        ),
        "open": Key(Flag(), "Neither won nor lost."),
    },
    _deal,
)


def _nested(node: Node, at: Context) -> c.Condition | None:
    return read_condition(node, at)


_AGAIN = Via(_nested, {"$ref": "#/$defs/condition"})
_LIST_AGAIN = Via(_all_read, {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1})
_TWO: list[Any] = [{"stage": "mql"}, {"tag": "hot"}]
CONDITION = Record(
    "a condition",
    {
        "all": Key(_LIST_AGAIN, "All of these hold.", example=_TWO),
        "any": Key(_LIST_AGAIN, "One of these holds.", example=_TWO),
        "not": Key(_AGAIN, "The plain opposite.", example={"stage": "customer"}),
        "stage": Key(_STAGE, "Where the lead stands in the funnel."),
        "in_stage_for": Key(_BOUNDS, "How long it has stood there.", example={"at_least": "14d"}),
        "lead": Key(_fields("lead"), "Tests on the lead's attributes."),
        "did": Key(DID, "How often the lead did something, or what a property adds up to.", example=_DID_SO),
        "did_not": Key(DID_NOT, "The opposite of 'did'.", example=_DID_SO),
        "account": Key(_fields("account"), "Tests on the lead's company; false without one."),
        "score": Key(Via(_scores, lambda: TESTS_ON["score"]), "Tests on named scores."),
        "tag": Key(_wrap(c.Tagged, Text("a tag")), "The lead has this tag.", example="hot"),
        "segment": Key(_wrap(c.InSegment, Declared("segment")), "The lead is in this segment."),
        "consent": Key(_wrap(c.Consented, Declared("topic")), "May be mailed on that topic now."),
        "mail": Key(_MAIL, "What happened to a mail.", example={"clicked": "welcome/hello", "within": "7d"}),
        "deal": Key(_DEAL, "The lead's deal in a sales pipeline.", example={"pipeline": "wholesale", "open": True}),
        "in_campaign": Key(_enrolled("in_campaign"), "Is in that campaign now."),
        "finished": Key(_enrolled("finished"), "Has once finished that campaign."),
        "reached_goal": Key(_enrolled("reached_goal"), "Has once reached that campaign's goal."),
        "entry": Key(_fields("entry"), "Tests on the event that opened this enrollment."),
        "by": Key(_BY, "'account': the tests beside it hold for anyone of the lead's company."),
    },
    _build,
    name="condition",
)

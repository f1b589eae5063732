"""A TEST on a value: a value alone, a list of them, or a mapping of what must hold; typed by the declaration."""

from __future__ import annotations

from nurture.campaign import source as nodes
from nurture.campaign.condition import Field, FieldType, Op, Relative, Scalar, Scope, Test
from nurture.campaign.declared import field_type, locate, paths
from nurture.campaign.duration import read_duration
from nurture.campaign.problems import did_you_mean
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Kind, Schema, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Date, Flag, Number, Span, Text

_TEXT: tuple[Op, ...] = ("is", "is_not", "in", "not_in", "contains", "starts_with", "ends_with", "set")
_NUMBER: tuple[Op, ...] = (
    *("is", "is_not", "in", "not_in"),
    *("at_least", "at_most", "more_than", "less_than", "between", "set"),
)
_DATE: tuple[Op, ...] = ("is", "is_not", "before", "after", "between", "in_last", "in_next", "anniversary_in", "set")
OPS: dict[FieldType, tuple[Op, ...]] = {
    "text": _TEXT,
    "url": _TEXT,
    "number": _NUMBER,
    "date": _DATE,
    "bool": ("is", "is_not", "set"),
    "list": ("any", "set"),
}
ALL_OPS: tuple[Op, ...] = tuple(dict.fromkeys(op for ops in OPS.values() for op in ops))
_WHERE = {"lead": "a lead", "account": "an account"}
_LIKELY = {">": "more_than", ">=": "at_least", "<": "less_than", "<=": "at_most", "=": "is", "==": "is", "!=": "is_not"}
_LIKELY |= {"min": "at_least", "minimum": "at_least", "gte": "at_least", "gt": "more_than", "greater_than": "more_than"}
_LIKELY |= {"max": "at_most", "maximum": "at_most", "lte": "at_most", "lt": "less_than", "eq": "is", "ne": "is_not"}
_LIKELY |= {"equals": "is", "not": "is_not", "exists": "set", "one_of": "in"}

TESTS_SCHEMA: Schema = {
    "anyOf": [
        {"type": ["string", "number", "boolean"]},
        {"type": "array"},
        {"type": "object", "additionalProperties": False, "properties": {op: {} for op in ALL_OPS}},
    ],
    "description": "a value (equals), a list (one of), or a mapping of tests that must all hold",
}


def read_fields(
    node: nodes.Node,
    scope: Scope,
    shapes: dict[str, Shape],
    at: Context,
    what: str,
    naming: dict[str, str] | None = None,
) -> list[Field] | None:
    """One Field for each name of a mapping of names to tests. `what` says whose names these are; `naming` which of
    them hold names that are declared elsewhere."""
    if not isinstance(node, nodes.Mapping):
        at.add(node, "N110", f"a mapping of names to tests belongs here, not {said(node)}", "such as {country: FR}")
        return None
    if not node.entries:
        at.add(node, "N115", "no test is written here")
        return None
    fields: list[Field] = []
    for key, value in node.entries:
        found = locate(shapes, key.text)
        if found is None:
            code = {"lead": "N313", "account": "N313"}.get(scope, "N302")
            at.unknown(key, code, what, paths(shapes), _WHERE.get(scope, "it"))
            continue
        path, shape = found
        if isinstance(shape, dict):
            at.add(
                key, "N214", f"{said(key)} has parts; test one of them", f"parts: {', '.join(paths({path[-1]: shape}))}"
            )
            continue
        tests = read_tests(value, shape, at, (naming or {}).get(key.text))
        if tests:
            fields.append(Field(scope, path, tests, field_type(shape) or "text"))
    return fields


def read_tests(node: nodes.Node, shape: Shape, at: Context, naming: str | None = None) -> tuple[Test, ...] | None:
    """The tests on one value of this shape. `naming`: texts are names of that kind, looked up among the declared."""
    kind = field_type(shape) or "text"
    match node:
        case nodes.Scalar() if node.empty:
            at.add(node, "N111", "a value is missing", "to ask whether there is one, write {set: true} or {set: false}")
            return None
        case nodes.Mapping(entries=entries):
            if not entries:
                at.add(node, "N115", "no test is written here")
            return tuple(t for key, value in entries if (t := _one(key, value, kind, shape, at, naming)) is not None)
        case _ if kind == "list":
            at.add(node, "N214", "a list is tested by its elements", "write {any: {PROPERTY: TEST}}")
            return None
        case nodes.Sequence():
            values = _many(node, kind, at, naming)
            return None if values is None else (Test("in", values),)
    value = _value(node, kind, at, naming)
    return None if value is None else (Test("is", value),)


def _one(
    key: nodes.Scalar, node: nodes.Node, kind: FieldType, shape: Shape, at: Context, naming: str | None
) -> Test | None:
    if key.text not in OPS[kind]:
        _refuse_op(key, kind, at)
        return None
    op: Op = next(known for known in OPS[kind] if known == key.text)
    match op:
        case "set":
            return _test(op, Flag().read(node, at))
        case "any":
            inner = shape[0] if isinstance(shape, list) and shape and isinstance(shape[0], dict) else {}
            fields = read_fields(node, "element", inner, at, "property of the list's elements")
            return Test("any", (), tuple(fields)) if fields else None
        case "in" | "not_in":
            values = _many(node, kind, at, naming)
            return None if values is None else Test(op, values)
        case "between":
            return _between(node, kind, at)
        case "in_last" | "in_next" | "anniversary_in":
            span = Span(long=True).read(node, at)
            return None if span is None else Test(op, Relative(span))
    return _test(op, _value(node, kind, at, naming))


def _test(op: Op, value: Scalar | None) -> Test | None:
    return None if value is None else Test(op, value)


def _refuse_op(key: nodes.Scalar, kind: FieldType, at: Context) -> None:
    takes = f"a {kind} takes: {', '.join(OPS[kind])}"
    if key.text in ALL_OPS:
        more = f"; declare it as number to compare, {takes}" if kind == "text" and key.text in _NUMBER else takes
        at.add(key, "N214", f"{said(key)} does not test a {kind}", more.removeprefix("; "))
        return
    near = _LIKELY.get(key.text)
    hint = f"did you mean '{near}'?" if near in OPS[kind] else did_you_mean(key.text, OPS[kind])
    at.add(key, "N112", f"unknown test {said(key)}", f"{hint} {takes}".strip())


def _many(node: nodes.Node, kind: FieldType, at: Context, naming: str | None) -> tuple[Scalar, ...] | None:
    items = node.items if isinstance(node, nodes.Sequence) else (node,)
    if not items:
        at.add(node, "N115", "the list of values is empty")
        return None
    values = [_value(item, kind, at, naming) for item in items]
    found = tuple(value for value in values if value is not None)
    return found if len(found) == len(values) else None


def _between(node: nodes.Node, kind: FieldType, at: Context) -> Test | None:
    if not isinstance(node, nodes.Sequence) or len(node.items) != 2:
        at.add(node, "N214", "'between' takes two values", "write [10, 20]; both ends count")
        return None
    values = _many(node, kind, at, None)
    if values is None:
        return None
    low, high = values
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        at.add(node, "N214", f"nothing is between {low} and {high}", f"write [{high}, {low}]")
        return None
    return Test("between", values)


def _value(node: nodes.Node, kind: FieldType, at: Context, naming: str | None) -> Scalar | None:
    found = word(node, at, f"a {kind}" if kind != "bool" else "'true' or 'false'")
    if found is None:
        return None
    if naming is not None:
        return Declared(naming).read(found, at)
    if kind == "date":
        span = read_duration(found.text)
        return Relative(span) if span is not None else Date().read(found, at)
    readers: dict[str, Kind] = {"number": Number(), "bool": Flag()}
    value: Scalar | None = readers.get(kind, Text()).read(found, at)
    return value

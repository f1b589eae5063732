"""A TEST on a value: a value alone, a list of them, or a mapping of what must hold; typed by the declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nurture.campaign import source as nodes
from nurture.campaign.condition import Field, FieldType, Op, Relative, Scalar, Scope, Test
from nurture.campaign.declared import field_type, locate, paths
from nurture.campaign.duration import read_duration
from nurture.campaign.problems import did_you_mean
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Kind, Raw, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Date, Flag, Number, Span, Text
from nurture.campaign.reading.schema import Schema, defined

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

_VALUE: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}
_VALUES: Schema = {"anyOf": [{"type": "array", "items": _VALUE, "minItems": 1}, _VALUE]}
_ANY_NUMBER: Schema = {"type": "number", "examples": [50]}
_A_TEXT: Schema = {"type": ["string", "number", "boolean"], "minLength": 1, "examples": ["green"]}
_WHEN: Schema = {"type": "string", "minLength": 1, "examples": ["2026-11-27"]}
_TOLD: dict[Op, tuple[str, Schema]] = {
    "is": ("It equals this.", {**_VALUE, "examples": ["green"]}),
    "is_not": ("It does not; also true where the field is missing.", {**_VALUE, "examples": ["green"]}),
    "in": ("It is one of these. A list alone means the same.", {**_VALUES, "examples": [["FR", "CH"]]}),
    "not_in": ("It is none of these; also true where the field is missing.", {**_VALUES, "examples": [["FR", "CH"]]}),
    "at_least": ("This or more.", _ANY_NUMBER),
    "at_most": ("This or less.", _ANY_NUMBER),
    "more_than": ("More than this.", _ANY_NUMBER),
    "less_than": ("Less than this.", _ANY_NUMBER),
    "between": (
        "`[a, b]`: from a to b, both ends count.",
        {"type": "array", "items": _VALUE, "minItems": 2, "maxItems": 2, "examples": [[10, 20]]},
    ),
    "contains": ("The text has this in it; a list has this element. Capitals do not matter.", _A_TEXT),
    "starts_with": ("The text begins so. Capitals do not matter.", _A_TEXT),
    "ends_with": ("The text ends so. Capitals do not matter.", _A_TEXT),
    "set": ("true: there is a value; false: there is none.", {"type": "boolean"}),
    "before": ("A date before this one, or before a signed time from now.", _WHEN),
    "after": ("A date after this one, or after a signed time from now.", _WHEN),
    "in_last": ("A date within this time, up to now.", {}),
    "in_next": ("A date within this time, from now on.", {}),
    "anniversary_in": ("The date's day of the year comes within this time.", {}),
}


def tests_schema(defs: dict[str, Schema]) -> Schema:
    """A TEST, defined once: a value, a list of them, or a mapping of tests."""
    if "test" not in defs:
        defs["test"] = {}  # `any` holds tests again
        ops = {op: {**(schema or Span().schema(defs)), "description": doc} for op, (doc, schema) in _TOLD.items()}
        ops["any"] = {
            **fields_schema(defs),
            "description": "One element of a list for which all of these hold: `{category: camera}`.",
            "examples": [{"category": "camera"}],
        }
        defs["test"] = {
            "anyOf": [
                _VALUE,
                {"type": "array", "items": _VALUE, "minItems": 1},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "minProperties": 1,
                    "properties": {op: ops[op] for op in ALL_OPS},
                },
            ],
            "description": "a value (equals), a list (one of), or a mapping of tests that must all hold",
            "examples": [{"at_least": 50}],
        }
    return {"$ref": "#/$defs/test"}


def fields_schema(defs: dict[str, Schema]) -> Schema:
    """Names of the user's own with a TEST each."""
    return {"type": "object", "minProperties": 1, "additionalProperties": tests_schema(defs)}


@dataclass(frozen=True)
class NamedTests:
    """How tests on names of the project's own are written. `name`: under which the JSON Schema defines it, where an
    editor is to be given the project's names."""

    example: dict[str, Any]
    name: str = ""

    def schema(self, defs: dict[str, Schema]) -> Schema:
        made = {**fields_schema(defs), "examples": [self.example]}
        return defined(defs, self.name, made) if self.name else made


class _OneTest:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        return tests_schema(defs)


ONE_TEST = _OneTest()
TESTS_ON = {
    "lead": NamedTests({"country": ["FR", "CH"]}, "lead-tests"),
    "account": NamedTests({"name": {"contains": "tea"}}, "account-tests"),
    "entry": NamedTests({"total": {"at_least": 50}}),
    "score": NamedTests({"interest": {"at_least": 40}}, "score-tests"),
}
PROPERTIES = Raw(lambda: TESTS_ON["entry"])
A_PROPERTY = Raw({"type": "string", "minLength": 1, "examples": ["cart_id"]})


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

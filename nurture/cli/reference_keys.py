"""The pages docs/reference/campaign-keys.md and config-keys.md, written from the readers of those files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Schema = dict[str, Any]
_SHARED = {"condition": "a condition", "step": "a step", "duration": "a duration", "arm": "an arm"}
_EVERY_STEP = ("id", "if", "note")
_FORMS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}

_TESTS = {
    "is": "It equals this.",
    "is_not": "It does not; also true where the field is missing.",
    "in": "It is one of these. A list alone means the same.",
    "not_in": "It is none of these; also true where the field is missing.",
    "at_least": "This or more.",
    "at_most": "This or less.",
    "more_than": "More than this.",
    "less_than": "Less than this.",
    "between": "`[a, b]`: from a to b, both ends count.",
    "contains": "The text has this in it; a list has this element. Capitals do not matter.",
    "starts_with": "The text begins so. Capitals do not matter.",
    "ends_with": "The text ends so. Capitals do not matter.",
    "set": "true: there is a value; false: there is none.",
    "any": "One element of a list for which all of these hold: `{category: camera}`.",
    "before": "A date before this one, or before a signed time from now.",
    "after": "A date after this one, or after a signed time from now.",
    "in_last": "A date within this time, up to now.",
    "in_next": "A date within this time, from now on.",
    "anniversary_in": "The date's day of the year comes within this time.",
}

_CAMPAIGN = """# Keys of a campaign file

Written from what reads the files; `nurture check` names every other key as a problem. `A.B` is the key `B` inside of
`A`, `A[]` an item of the list `A`, `NAME` a word of your own.
"""
_CONFIG = """# Keys of config.yaml

Written from what reads the file. `A.B` is the key `B` inside of `A`, `A[]` an item of the list `A`, `NAME` a word of
your own. `${NAME}` is an environment variable, `${file:PATH}` a file's content; one that is missing is an error at
the start.
"""


def campaign_page() -> str:
    """Every key of a campaign file: at the top, in steps, in conditions."""
    from nurture.campaign.reading.campaign import campaign_schema

    schema = campaign_schema()
    shared = schema["$defs"]
    parts = [_CAMPAIGN, *_table("", schema)]
    parts += ["## Steps", "", "Each step is one of these, with `id`, `if` and `note` besides.", ""]
    for step in shared["step"]["anyOf"]:
        (name,) = step["required"][:1]
        keys = {key: value for key, value in step["properties"].items() if key not in _EVERY_STEP}
        parts += [f"### `{name}`", "", *_table("", {"properties": keys})]
    parts += ["## Conditions", "", "Several keys mean all of them.", "", *_table("", shared["condition"])]
    words = next(found for found in _objects(shared) if _is_test(found))["properties"]
    parts += [
        "## Tests",
        "",
        "A value alone means *equals*. Several tests mean all of them. On a missing field every test is false,",
    ]
    parts += ["except `set: false`, `is_not` and `not_in`.", "", "| test | holds where |", "|---|---|"]
    parts += [f"| `{word}` | {_TESTS[word]} |" for word in words]
    return "\n".join([*parts, ""])


def config_page() -> str:
    """Every key of config.yaml."""
    from nurture.campaign.reading.kinds import Record
    from nurture.campaign.reading.sections import LANGUAGE
    from nurture.options import MACHINE

    schema = Record("config.yaml", {**LANGUAGE, **MACHINE}).schema({})
    return "\n".join([_CONFIG, *_table("", schema)])


def _table(path: str, schema: Schema) -> Iterator[str]:
    yield "| key | takes | |"
    yield "|---|---|---|"
    rows = {name: (takes, doc) for name, takes, doc in _keys(path, schema)}
    for name in sorted(rows, key=str.lower):
        if "[]" not in name or name.replace("[]", "") not in rows:  # one item may be written without the list
            yield "| `{}` | {} | {} |".format(name, *rows[name]).replace("\n", " ")
    yield ""


def _keys(path: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    """(key, what it takes, what it does) of an object and of what nests in it."""
    for name, value in schema.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, _takes(value), value.get("description", "").replace("|", "\\|")
        yield from _inside(here, value)


def _inside(path: str, value: Schema) -> Iterator[tuple[str, str, str]]:
    if "properties" in value and not _is_test(value):
        yield from _keys(path, value)
    for form in value.get("anyOf", ()):
        yield from _inside(path, form)
    if isinstance(value.get("items"), dict):
        yield from _inside(f"{path}[]", value["items"])
    if isinstance(value.get("additionalProperties"), dict):
        yield from _inside(f"{path}.NAME", value["additionalProperties"])


def _is_test(value: Schema) -> bool:
    return "anniversary_in" in value.get("properties", {})


def _objects(value: object) -> Iterator[Schema]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _takes(value: Schema) -> str:
    """In a few words; empty where anything may stand."""
    if "$ref" in value:
        return _SHARED[value["$ref"].rpartition("/")[2]]
    if any(map(_is_test, (value, *value.get("anyOf", ())))):
        return "a test"
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    if "anyOf" in value:
        return _either(_takes(form) for form in value["anyOf"])
    kind = value.get("type")
    if kind == "array":
        of = _takes(value["items"]) if isinstance(value.get("items"), dict) else ""
        return f"a list of: {of}" if of else "a list"
    if kind == "object":
        return "a mapping"
    kinds = kind if isinstance(kind, list) else [kind]
    return _either("text" if "string" in kinds else _FORMS.get(one, "a mapping") for one in kinds if one)


def _either(forms: Iterable[str]) -> str:
    """Each once; "a mapping or a list of: a mapping or text" is one list."""
    found = list(dict.fromkeys(form for form in forms if form))
    return " or ".join(form for form in found if not form.startswith("a list of: a mapping or"))

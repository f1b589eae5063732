"""The pages docs/reference/campaign-keys.md and config-keys.md, written from the readers of those files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nurture.campaign.reading.schema import Schema, example

Defs = dict[str, Schema]
_SHARED = {
    "arm": "an arm",
    "lead-tests": "a mapping",
    "account-tests": "a mapping",
    "score-tests": "a mapping",
    "mail": "a template, a step's id or `any`",
    "event": "an event",
    "account": "an account",
    "offset": "a signed duration",
    "reference": "",  # a `${NAME}` may stand in all of config.yaml, as its page says
    "values": "a mapping",
}
_EVERY_STEP = ("id", "if", "note")
_FORMS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}

_CAMPAIGN = """# Keys of a campaign file

Written from what reads the files; `nurture check` names every other key as a problem. `A.B` is the key `B` inside of
`A`, `A[]` an item of the list `A`, `NAME` a word of your own.
"""
_CONFIG = """# Keys of config.yaml

Written from what reads the file. `A.B` is the key `B` inside of `A`, `A[]` an item of the list `A`, `NAME` a word of
your own. `${NAME}` is an environment variable, `${file:PATH}` a file's content; one that is missing is an error at
the start.
"""
_MAPPING = """# Keys of a mapping file

Written from what reads the files. A mapping says what a row of a table is, for `nurture import`; every value is a text
or a template over `row`, the columns by their names. [Import leads](../how-to/import-leads.md) shows one at work. `A.B`
is the key `B` inside of `A`, `NAME` a word of your own.
"""


def campaign_page() -> str:
    """Every key of a campaign file: at the top, in steps, in conditions."""
    from nurture.campaign.reading.campaign import campaign_schema

    schema = campaign_schema()
    shared = schema["$defs"]
    parts = [_CAMPAIGN, *_table("", schema, shared)]
    parts += ["## Steps", "", "Each step is one of these, with `id`, `if` and `note` besides.", ""]
    for step in shared["step"]["anyOf"]:
        (name,) = step["required"][:1]
        keys = {key: value for key, value in step["properties"].items() if key not in _EVERY_STEP}
        parts += [f"### `{name}`", "", *_table("", {"properties": keys}, shared)]
    parts += ["## Conditions", "", "Several keys mean all of them.", "", *_table("", shared["condition"], shared)]
    tests = next(form for form in shared["test"]["anyOf"] if "properties" in form)["properties"]
    parts += [
        "## Tests",
        "",
        "A value alone means *equals*. Several tests mean all of them. On a missing field every test is false,",
    ]
    parts += [
        "except `set: false`, `is_not` and `not_in`.",
        "",
        "| test | holds where | for example |",
        "|---|---|---|",
    ]
    parts += [f"| `{word}` | {test['description']} | {_shown(test, shared)} |" for word, test in tests.items()]
    return "\n".join([*parts, ""])


def config_page() -> str:
    """Every key of config.yaml."""
    from nurture.options import config_schema

    schema = config_schema()
    return "\n".join([_CONFIG, *_table("", schema, schema["$defs"])])


def mapping_page() -> str:
    """Every key of a mapping file."""
    from nurture.campaign.mapping_keys import mapping_schema

    schema = mapping_schema()
    return "\n".join([_MAPPING, *_table("", schema, schema["$defs"])])


def _table(path: str, schema: Schema, defs: Defs) -> Iterator[str]:
    yield "| key | takes | | for example |"
    yield "|---|---|---|---|"
    rows = {name: row for name, *row in _keys(path, schema, defs)}
    for name in sorted(rows, key=str.lower):
        if "[]" not in name or name.replace("[]", "") not in rows:  # one item may be written without the list
            yield "| `{}` | {} | {} | {} |".format(name, *rows[name]).replace("\n", " ")
    yield ""


def _keys(path: str, schema: Schema, defs: Defs) -> Iterator[tuple[str, str, str, str]]:
    """(key, what it takes, what it does, an example) of an object and of what nests in it."""
    for name, value in schema.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        yield here, _takes(value), value.get("description", "").replace("|", "\\|"), _shown(value, defs)
        yield from _inside(here, value, defs)


def _inside(path: str, value: Schema, defs: Defs) -> Iterator[tuple[str, str, str, str]]:
    if "properties" in value:
        yield from _keys(path, value, defs)
    for form in value.get("anyOf", ()):
        yield from _inside(path, form, defs)
    if isinstance(value.get("items"), dict):
        yield from _inside(f"{path}[]", value["items"], defs)
    if isinstance(value.get("additionalProperties"), dict):
        yield from _inside(f"{path}.NAME", value["additionalProperties"], defs)


def _shown(value: Schema, defs: Defs) -> str:
    """The example as it is written on one line."""
    import yaml

    text = yaml.safe_dump(
        example(value, defs), default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000
    )
    return "`{}`".format(text.removesuffix("...\n").strip().replace("|", "\\|"))


def _takes(value: Schema) -> str:
    """In a few words; empty where anything may stand."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return _SHARED.get(name, f"a {name.replace('-', ' ')}")
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
    return _either(
        "text" if "string" in kinds else _FORMS.get(one, "a mapping") for one in kinds if one and one != "null"
    )


def _either(forms: Iterable[str]) -> str:
    """Each once; "a mapping or a list of: a mapping or text" is one list."""
    found = list(dict.fromkeys(form for form in forms if form))
    return " or ".join(form for form in found if not form.startswith("a list of: a mapping or"))

"""The JSON Schemas of the files people write, put together from the kinds that read them.

What is used in many places stands once under `$defs`. Every key gets an example: its own, or one made from those of
what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def defined(defs: dict[str, Schema], name: str, schema: Schema) -> Schema:
    """A reference to it under its name."""
    defs.setdefault(name, schema)
    return {"$ref": f"#/$defs/{name}"}


def document(title: str, description: str, body: Schema, defs: dict[str, Schema]) -> Schema:
    """A whole schema (2020-12), every key with an example."""
    ordered = dict(sorted(defs.items()))
    for schema in (body, *ordered.values()):
        _exemplify(schema, ordered)
    head: Schema = {"$schema": DIALECT, "title": title, "description": description}
    return {**head, **body, **({"$defs": ordered} if ordered else {})}


def _exemplify(schema: Schema, defs: dict[str, Schema]) -> None:
    """Puts an example at every key that lacks one."""
    keys = schema.get("properties", {})
    for name, inner in keys.items():
        if "examples" not in inner and "examples" not in _named(inner, defs):
            keys[name] = {**inner, "examples": [example(inner, defs, name)]}
    for inner in inside(schema):
        _exemplify(inner, defs)


def _named(schema: Schema, defs: dict[str, Schema]) -> Schema:
    """What it refers to, where it does: that is shown with it."""
    return defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}


def inside(schema: Schema) -> Iterator[Schema]:
    """The schemas of what it holds, and of its forms."""
    yield from schema.get("properties", {}).values()
    yield from schema.get("anyOf", ())
    yield from (schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict))


def example(schema: Schema, defs: dict[str, Schema], what: str = "") -> Any:
    """One value the schema takes: the first it names, or the least that is whole. Raises LookupError where a text or
    a number could be anything; such a key needs an example of its own."""
    for word in ("examples", "enum"):
        if word in schema:
            return schema[word][0]
    for word in ("default", "const"):
        if word in schema:
            return schema[word]
    if "$ref" in schema:
        return example(defs[schema["$ref"].rpartition("/")[2]], defs, what)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], defs, what)
    match schema.get("type"):
        case "boolean":
            return True
        case "array":
            return [example(schema["items"], defs, what)]
        case "object" if "properties" in schema:
            needed = (
                schema.get("required") or schema.get("oneOf", [{}])[0].get("required") or list(schema["properties"])[:1]
            )
            return {name: example(schema["properties"][name], defs, name) for name in needed}
    raise LookupError(f"the key '{what}' needs an 'example' where it is declared; it takes {schema}")

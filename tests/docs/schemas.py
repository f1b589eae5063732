"""The JSON Schemas as an editor uses them: YAML read as YAML 1.2, every key with a document in which it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jsonschema
import yaml

from nurture.campaign.reading.schema import Schema, example, inside
from nurture.cli.schema import Written, schema_of

SCHEMAS: dict[str, Schema] = {str(of): schema_of(of) for of in Written}
NAMES = ("country", "birthday", "covers", "items", "total", "name", "anything")  # one of each type that is declared


class Core(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's core schema: `09:30` and `2026-11-27` are text, `on` is too."""


Core.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
    ("null", r"~|null|", "~n"),
):
    Core.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first, *([""] * (_tag == "null"))]
    )


def as_editor(text: str) -> Any:
    """The document as an editor's server has it: names are text there."""
    return _named(yaml.load(text, Core))


def _named(value: Any) -> Any:
    match value:
        case dict():
            return {
                str(key).lower() if isinstance(key, bool) else str(key): _named(item) for key, item in value.items()
            }
        case list():
            return [_named(item) for item in value]
    return value


def refusals(of: str, document: Any) -> list[str]:
    """What the schema says against it."""
    return [error.message[:200] for error in jsonschema.Draft202012Validator(SCHEMAS[of]).iter_errors(document)]


def keys(of: str) -> Iterator[tuple[str, Schema]]:
    """Every key of the schema by its path, those of what is defined once only once."""
    whole = SCHEMAS[of]
    yield from _keys("", {key: value for key, value in whole.items() if key != "$defs"})
    for name, schema in whole["$defs"].items():
        yield from _keys(f"${name}", schema)


def _keys(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from _keys(f"{path}.{name}", inner)
    for inner in inside({**schema, "properties": {}}):
        yield from _keys(path, inner)


Wrap = Callable[[Any], Any]
Takes = Callable[[Any], bool]


class Surroundings:
    """For every key of a schema a document that shows it, with what has to stand beside it there. What is defined under
    the names `but` is left out; `always` stands beside the key of that path."""

    def __init__(
        self,
        of: str,
        bases: list[dict[str, Any]],
        takes: Takes,
        *,
        but: Iterable[str] = (),
        always: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._defs = SCHEMAS[of].get("$defs", {})
        self._takes = takes
        self._inside = set(but)
        self._seen: set[str] = set()
        self._always = always or {}
        self._taken: set[str] = set()
        self._refused: dict[str, None] = {}
        self._walk("", SCHEMAS[of], [lambda value, base=base: {**base, **value} for base in bases], {})

    @property
    def nowhere(self) -> list[str]:
        """Keys whose example the program takes in no surroundings."""
        return [path for path in self._refused if path not in self._taken]

    def _walk(self, path: str, schema: Schema, wraps: list[Wrap], shown: Any) -> None:
        """`wraps` put a value into a document, each at another place where it may stand; `shown` is the example of the
        key this is below."""
        if "$ref" in schema:
            self._defined(schema["$ref"].rpartition("/")[2], wraps, shown)
        for name in schema.get("properties", {}):
            self._key(f"{path}.{name}", schema, name, wraps, shown if isinstance(shown, dict) else {})
        for form in schema.get("anyOf", ()):
            self._walk(path, form, wraps, shown)
        if isinstance(schema.get("items"), dict):
            others = [[], shown] if isinstance(shown, list) else [[]]
            listed = [lambda v, wrap=wrap, o=o: wrap([*o, v]) for o in others for wrap in wraps]
            self._walk(f"{path}[]", schema["items"], listed, None)
        if isinstance(schema.get("additionalProperties"), dict):
            others = [{}, shown] if isinstance(shown, dict) else [{}]
            names = [*(shown if isinstance(shown, dict) else ()), *NAMES]
            named = [lambda v, wrap=wrap, n=n, o=o: wrap({**o, n: v}) for n in names for o in others for wrap in wraps]
            self._walk(f"{path}.NAME", schema["additionalProperties"], named, None)

    def _defined(self, name: str, wraps: list[Wrap], shown: Any) -> None:
        """Once, and again elsewhere as long as something of it was refused."""
        first = name not in self._seen
        if name not in self._inside and (first or any(path.startswith(f"${name}.") for path in self.nowhere)):
            self._seen.add(name)
            self._inside.add(name)
            self._walk(f"${name}", self._defs[name], wraps, shown)
            self._inside.remove(name)

    def _key(self, path: str, schema: Schema, name: str, wraps: list[Wrap], around: dict[str, Any]) -> None:
        if path in self._taken and not any(below.startswith(path) for below in self.nowhere):
            return
        inner = schema["properties"][name]
        shown = example(inner, self._defs)
        for beside in self._beside(path, schema, name, around):
            for wrap in wraps:
                if self._takes(wrap({**beside, name: shown})):
                    self._taken.add(path)
                    self._walk(path, inner, [lambda v, beside=beside, wrap=wrap: wrap({**beside, name: v})], shown)
                    return
        self._refused[path] = None

    def _beside(self, path: str, schema: Schema, name: str, around: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What may have to stand beside it: what is required, one of those of which one is, one more; or what stands
        there in the example of the whole."""
        keys = schema["properties"]
        always = self._always.get(path, {})
        needed = [key for key in schema.get("required", ()) if key != name and key in keys]
        options = [one["required"][0] for one in schema.get("oneOf", ())]
        for option in [[]] if name in options or not options else [[key] for key in options]:
            fixed = {**always, **{key: example(keys[key], self._defs) for key in [*needed, *option]}}
            yield fixed
            if around.keys() <= keys.keys():
                yield {**fixed, **{key: value for key, value in around.items() if key not in options or key in option}}
            for other in keys:
                if other not in fixed and other != name and other not in options:
                    yield {**fixed, other: example(keys[other], self._defs)}

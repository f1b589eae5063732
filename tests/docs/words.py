"""The words of the campaign language: those its schema has, and those that campaigns use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
_EVERY_STEP = {"id", "if", "note"}
_TESTED = {"where", "lead", "account", "entry", "score", "amount"}  # what stands under them are tests on values


class Words:
    """Keys by their path: `enter.settle`, `step.send.topic`, `condition.did.within`; tests as `test.at_least`."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._shared: dict[str, Schema] = schema["$defs"]
        (self._tests,) = {tuple(found) for found in _test_words(self._shared)}

    def known(self) -> set[str]:
        """All there are."""
        roots = [("", self._schema), *((name, self._shared[name]) for name in ("condition", "step", "arm"))]
        return {f"test.{word}" for word in self._tests} | {
            path for name, root in roots for path in self._all(name, root)
        }

    def used(self, campaign: Any) -> set[str]:
        """Those that a campaign has, as YAML without types."""
        return {*self._in(self._schema, campaign, ""), *(f"test.{word}" for word in self._tests_in(campaign))}

    def _all(self, path: str, schema: Schema) -> Iterator[str]:
        for name, value in schema.get("properties", {}).items():
            if tuple(schema["properties"]) != self._tests:
                here = _joined(path, name, schema)
                yield here
                yield from self._all(here, value)
        for form in schema.get("anyOf", ()):
            yield from self._all(path, form)
        for inner in (schema.get("items"), schema.get("additionalProperties")):
            if isinstance(inner, dict):
                yield from self._all(path, inner)

    def _in(self, schema: Schema, value: Any, path: str) -> Iterator[str]:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema, path = self._shared[name], name
        for form in schema.get("anyOf", ()):
            if not isinstance(value, dict) or form.get("required", [""])[0] in {"", *value}:
                yield from self._in(form, value, path)
        if isinstance(value, list) and isinstance(schema.get("items"), dict):
            for item in value:
                yield from self._in(schema["items"], item, path)
        if not isinstance(value, dict) or tuple(schema.get("properties", ())) == self._tests:
            return
        for name, inner in value.items():
            if name in schema.get("properties", {}):
                here = _joined(path, name, schema)
                yield here
                yield from self._in(schema["properties"][name], inner, here)
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from self._in(schema["additionalProperties"], inner, path)

    def _tests_in(self, value: Any, tested: bool = False) -> Iterator[str]:
        for name, inner in value.items() if isinstance(value, dict) else ():
            if tested and name in self._tests:
                yield name
            yield from self._tests_in(inner, tested or name in _TESTED)
        for inner in value if isinstance(value, list) else ():
            yield from self._tests_in(inner, tested)


def _joined(path: str, name: str, schema: Schema) -> str:
    """The key's path; what every step may have is named once, what belongs to one by its action."""
    if path != "step":
        return f"{path}.{name}".removeprefix(".")
    action = schema["required"][0]
    return f"step.{name}" if name in {action, *_EVERY_STEP} else f"step.{action}.{name}"


def _test_words(value: object) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        if "anniversary_in" in value.get("properties", {}):
            yield tuple(value["properties"])
        for inner in value.values():
            yield from _test_words(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _test_words(inner)

"""What may stand at a key: each kind reads a node into a value, and says itself as JSON Schema.

A kind's `read` returns None where it reported a problem. Shapes nest: `Record` for a mapping with known keys, `MapOf`
for one with the user's own, `ListOf`, `Either` by the form of what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nurture.campaign.problems import Mark, did_you_mean
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.schema import Schema
from nurture.campaign.source import Mapping, Node, Scalar, Sequence


class Told(Protocol):
    """What can say itself as JSON Schema."""

    def schema(self, defs: dict[str, Schema]) -> Schema: ...


class Kind(Told, Protocol):
    def read(self, node: Node, at: Context) -> Any: ...

    @property
    def noun(self) -> str: ...


def word(node: Node, at: Context, noun: str) -> Scalar | None:
    """The node as one non-empty word, else a problem that says what belongs there."""
    if not isinstance(node, Scalar):
        at.add(node, "N110", f"{noun} belongs here, not {'a mapping' if isinstance(node, Mapping) else 'a list'}")
        return None
    if node.empty or not node.text.strip():
        at.add(node, "N111", f"a value is missing; {noun} belongs here")
        return None
    return node


@dataclass(frozen=True)
class Key:
    """One key of a Record: what may stand there, in one sentence what it does, whether it must be written; for people
    and their editors an example of what is written, and what counts where it is not."""

    kind: Kind
    doc: str = ""
    required: bool = False
    example: Any = None
    default: Any = None


@dataclass
class Got:
    """What was written in a Record: values by key (those read without problem), and the node each came from."""

    mark: Mark
    node: Mapping
    values: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.nodes

    def __getitem__(self, key: str) -> Any:
        return self.values.get(key)

    def get(self, key: str, default: Any) -> Any:
        found = self.values.get(key)
        return default if found is None else found

    def mark_of(self, key: str) -> Mark:
        return self.nodes[key].mark if key in self.nodes else self.mark

    def whole(self, *keys: str) -> bool:
        """True where each of these keys was written and read."""
        return all(self.values.get(key) is not None for key in keys)


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. `one_of`: exactly one of these must be there. `build` makes the value; without it the
    value is the `Got`."""

    noun: str
    keys: dict[str, Key]
    build: Callable[[Got, Context], Any] | None = None
    one_of: tuple[str, ...] = ()
    name: str = ""  # under which the JSON Schema defines it, for those that nest in themselves

    def read(self, node: Node, at: Context) -> Any:
        got = self.collect(node, at, self.noun)
        if got is None or self.build is None:
            return got
        return self.build(got, at)

    def collect(self, node: Node, at: Context, noun: str) -> Got | None:
        """The known keys read, with problems for unknown, missing and contradicting ones."""
        if not isinstance(node, Mapping):
            keys = ", ".join(self.keys)
            at.add(node, "N110", f"{noun} is a mapping, not {_form(node)}", f"its keys: {keys}")
            return None
        got = Got(node.mark, node)
        meant: set[str] = set()
        for key, value in node.entries:
            known = self.keys.get(key.text)
            if known is None:
                hint = did_you_mean(key.text, self.keys)
                meant.update({hint.split("'")[1]} if hint else self.one_of)
                allowed = f"{noun[:1].upper()}{noun[1:]} takes: {', '.join(self.keys)}."
                at.add(key, "N112", f"unknown key {said(key)} in {noun}", f"{hint} {allowed}".strip())
                continue
            got.nodes[key.text] = value
            got.values[key.text] = known.kind.read(value, at)
        self._presence(got, at, noun, meant)
        return got

    def _presence(self, got: Got, at: Context, noun: str, meant: set[str]) -> None:
        """Problems for keys that are missing, but for those `meant` by a word that was reported already."""
        for name, key in self.keys.items():
            if key.required and name not in got and name not in meant:
                at.findings.add(got.mark, "N113", f"{noun} needs '{name}'", key.doc)
        if not self.one_of:
            return
        written = [key.text for key, _ in got.node.entries if key.text in self.one_of]
        if len(written) > 1:
            extra = next(key for key, _ in got.node.entries if key.text == written[1])
            at.add(extra, "N114", f"'{written[1]}' cannot stand beside '{written[0]}' in {noun}", "keep one of them")
        elif not written and not meant & set(self.one_of):
            at.findings.add(got.mark, "N113", f"{noun} needs one of: {', '.join(self.one_of)}")

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if self.name and self.name in defs:
            return {"$ref": f"#/$defs/{self.name}"}
        made: Schema = {"type": "object", "additionalProperties": False}
        if self.name:
            defs[self.name] = made
        made["properties"] = {name: described(key, defs) for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        if required:
            made["required"] = required
        if self.one_of:
            made["oneOf"] = [{"required": [name]} for name in self.one_of]
        return {"$ref": f"#/$defs/{self.name}"} if self.name else made


def described(key: Key, defs: dict[str, Schema]) -> Schema:
    """What may stand at the key, with what it does, an example and its default; those of the kind stand behind."""
    schema = dict(key.kind.schema(defs))
    if key.doc:
        schema["description"] = key.doc
    if key.default is not None:
        schema["description"] = f"{schema['description'].removesuffix('.')}; {_default(key.default)} if not written."
        schema["default"] = key.default
    if key.example is not None:
        schema["examples"] = [key.example]
    return schema


def _default(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:,}"
    return str(value)


def _form(node: Node) -> str:
    match node:
        case Scalar():
            return "nothing" if node.empty else said(node)
        case Sequence():
            return "a list"
    return "a mapping"


@dataclass(frozen=True)
class ListOf:
    """A list, read to a tuple. `bare`: one item may be written without the list. A bad item is left out."""

    item: Kind
    noun: str = "a list"
    bare: bool = False
    empty: bool = False

    def read(self, node: Node, at: Context) -> tuple[Any, ...] | None:
        if not isinstance(node, Sequence):
            if self.bare:
                one = self.item.read(node, at)
                return None if one is None else (one,)
            at.add(node, "N110", f"{self.noun} belongs here, not {_form(node)}", "write it as [a, b] or with dashes")
            return None
        if not node.items and not self.empty:
            at.add(node, "N115", f"{self.noun} is empty")
            return None
        return tuple(value for item in node.items if (value := self.item.read(item, at)) is not None)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        item = self.item.schema(defs)
        array: Schema = {"type": "array", "items": item}
        if not self.empty:
            array["minItems"] = 1
        return {"anyOf": [item, array]} if self.bare else array


@dataclass(frozen=True)
class MapOf:
    """A mapping whose keys are the user's own words, read to a dict in the order written."""

    value: Kind
    noun: str = "a mapping"
    key: Kind | None = None

    def read(self, node: Node, at: Context) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            if isinstance(node, Scalar) and node.empty:
                return {}
            at.add(node, "N110", f"{self.noun} is a mapping, not {_form(node)}")
            return None
        found: dict[str, Any] = {}
        for key, item in node.entries:
            if self.key is not None and self.key.read(key, at) is None:
                continue
            value = self.value.read(item, at)
            if value is not None:
                found[key.text] = value
        return found

    def schema(self, defs: dict[str, Schema]) -> Schema:
        value = self.value.schema(defs)
        words = None if self.key is None else self.key.schema(defs).get("enum")
        if words:
            keys = {word: {**value, "description": f"Of '{word}': {self.value.noun}."} for word in words}
            return {"type": "object", "additionalProperties": False, "properties": keys}
        return {"type": "object", "additionalProperties": value}


@dataclass(frozen=True)
class Either:
    """By the form of what was written: a word, a list or a mapping."""

    noun: str
    scalar: Kind | None = None
    sequence: Kind | None = None
    mapping: Kind | None = None

    def read(self, node: Node, at: Context) -> Any:
        match node:
            case Scalar():
                kind = self.scalar
            case Sequence():
                kind = self.sequence
            case Mapping():
                kind = self.mapping
        if kind is None or (isinstance(node, Scalar) and node.empty):
            at.add(node, "N110", f"{self.noun} belongs here, not {_form(node)}")
            return None
        return kind.read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [k.schema(defs) for k in (self.scalar, self.sequence, self.mapping) if k is not None]}


@dataclass(frozen=True)
class Via:
    """A kind made of a function and the kind whose schema describes what it takes."""

    function: Callable[[Node, Context], Any]
    like: Callable[[], Told] | Schema
    noun: str = "a value"

    def read(self, node: Node, at: Context) -> Any:
        return self.function(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return dict(self.like) if isinstance(self.like, dict) else self.like().schema(defs)


@dataclass(frozen=True)
class Raw:
    """The node itself, to be read once its neighbours are known; `like` describes it."""

    like: Callable[[], Told] | Schema = field(default_factory=dict)
    noun: str = "a value"

    def read(self, node: Node, at: Context) -> Node:
        return node

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return dict(self.like) if isinstance(self.like, dict) else self.like().schema(defs)


def one_of_words(words: Iterable[str]) -> str:
    *most, last = [f"'{word}'" for word in words]
    return f"{', '.join(most)} or {last}" if most else last

"""YAML text as a tree that remembers where everything stood.

Every scalar stays the text it was written as (`9:30`, `NO`, `010`, `on`); the schema gives it a type later. Built from
the parser's events without recursion, so that no file can exhaust the stack, and bounded in size, depth and aliases
(trust X14; YAML 1.2.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import yaml

from nurture.campaign.problems import Mark, Problem, Severity

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_ALIASES = 100
MAX_NODES = 200_000  # after aliases are followed; a megabyte of YAML without aliases has fewer

_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # libyaml's line breaks, so that numbers agree
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # a terminal shall not obey a file
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """`text` is what was written, unquoted; `raw` differs where a `${NAME}` was put in, and is what may be shown."""

    mark: Mark
    text: str
    quoted: bool = False
    raw: str = ""

    @property
    def empty(self) -> bool:
        """Nothing, `~` or `null` was written."""
        return not self.quoted and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Sequence:
    mark: Mark
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    mark: Mark
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


@dataclass
class Findings:
    """Collects problems, and cuts the user's own line for each out of the files' texts."""

    found: dict[Problem, None] = field(default_factory=dict)  # in the order of finding, each once
    lines: dict[str, list[str]] = field(default_factory=dict)

    def learn(self, file: str, text: str) -> None:
        """The text of a file about to be read."""
        self.lines[file] = _LINE_END.split(_UNPRINTABLE.sub("\ufffd", text))

    def add(self, mark: Mark, code: str, message: str, hint: str = "", severity: Severity = "error") -> None:
        lines = self.lines.get(mark.file, [])
        snippet = lines[mark.line - 1].rstrip() if 0 < mark.line <= len(lines) else ""
        if len(snippet) > 240:  # a line of a megabyte helps nobody
            snippet = snippet[:240] if mark.column <= 200 else ""
        self.found[Problem(mark, code, _UNPRINTABLE.sub("\ufffd", message), severity, hint, snippet)] = None

    def warn(self, mark: Mark, code: str, message: str, hint: str = "") -> None:
        self.add(mark, code, message, hint, "warning")

    @property
    def problems(self) -> list[Problem]:
        """All of them, by place."""
        return sorted(self.found, key=lambda p: (p.mark, p.code))


class _Stop(Exception):
    """Reading cannot go on after this finding."""

    def __init__(self, mark: Mark, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.finding = (mark, code, message, hint)


def decode(file: str, data: bytes, findings: Findings) -> str | None:
    """The text of a file's bytes; None with a problem where they are too many or not UTF-8."""
    if len(data) > MAX_BYTES:
        findings.add(Mark(file), "N102", "the file is larger than 1 MB", "split it; one campaign a file")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.add(Mark(file, line), "N107", "this is not UTF-8 text", "save the file as UTF-8")
        return None


def read_tree(file: str, text: str, findings: Findings) -> Node | None:
    """The file's one document as a tree; None with a problem where there is none to read. Repeated keys are problems,
    and the first one counts from there on."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        findings.add(Mark(file), "N102", "the file is larger than 1 MB", "split it; one campaign a file")
        return None
    findings.learn(file, text)
    try:
        return _Composer(file, findings).compose(text)
    except _Stop as stop:
        findings.add(*stop.finding)
    except UnicodeEncodeError as error:
        findings.add(_at(file, text, error.start), "N107", "this is not UTF-8 text", "save the file as UTF-8")
    except yaml.reader.ReaderError as error:
        findings.add(_at(file, text, int(error.position)), "N107", "a control character stands here", "delete it")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file)
        findings.add(place, "N101", f"this is not YAML: {_plain(error.problem)}", _HINTS.get(error.problem or "", ""))
    except yaml.YAMLError as error:
        findings.add(Mark(file), "N101", f"this is not YAML: {error}")
    return None


_HINTS = {
    "mapping values are not allowed in this context": "a text with ': ' in it needs quotes; keys of one mapping stand "
    "in one column",
    "found character that cannot start any token": "indent with spaces, not tabs; quote a text that begins with "
    "'@', '`' or '%'",
    "did not find expected ',' or '}'": "a mapping in braces needs a comma between its entries, and a closing '}'",
    "did not find expected ',' or ']'": "a list in brackets needs a comma between its items, and a closing ']'",
    "did not find expected key": "is this line indented like the ones above it?",
    "could not find expected ':'": "a key is followed by ': '",
}


def _plain(problem: str | None) -> str:
    return problem or "the text stops making sense here"


def _at(file: str, text: str, position: int) -> Mark:
    lines = _LINE_END.split(text[:position])
    return Mark(file, len(lines), len(lines[-1]) + 1)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    mark: Mark
    mapping: bool
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    weight: int = 1
    height: int = 1

    def take(self, node: Node, weight: int, height: int) -> None:
        self.nodes.append(node)
        self.weight += weight
        self.height = max(self.height, 1 + height)


class _Composer:
    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._anchors: dict[str, tuple[Node, int, int] | None] = {}  # node, weight, height; None while still open
        self._aliases = 0

    def compose(self, text: str) -> Node | None:
        stack: list[_Open] = []
        root: Node | None = None
        documents = 0
        for event in yaml.parse(text, Loader=_Loader):
            node: Node | None = None
            weight = height = 1
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _Stop(self._mark(event), "N108", "a second document begins here", "one campaign a file")
                case yaml.ScalarEvent():
                    self._refuse_tag(event)
                    node = Scalar(self._mark(event), event.value, bool(event.style), event.value)
                    self._remember(event.anchor, node, 1, 1)
                case yaml.AliasEvent():
                    node, weight, height = self._follow(event)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._refuse_tag(event)
                    opened = _Open(self._mark(event), isinstance(event, yaml.MappingStartEvent), event.anchor)
                    if event.anchor:
                        self._anchors[event.anchor] = None
                    stack.append(opened)
                    if len(stack) > MAX_DEPTH:
                        raise _Stop(opened.mark, "N103", f"nested more than {MAX_DEPTH} deep")
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    closed = stack.pop()
                    node, weight, height = self._close(closed), closed.weight, closed.height
                    self._remember(closed.anchor, node, weight, height)
            if node is None:
                continue
            if not stack:
                root = node
                continue
            stack[-1].take(node, weight, height)
            if stack[-1].weight > MAX_NODES or len(stack) + height > MAX_DEPTH + 1:
                raise _Stop(node.mark, "N104", "the anchors of this file unfold to far too much", "write it out")
        return root

    def _close(self, opened: _Open) -> Node:
        if not opened.mapping:
            return Sequence(opened.mark, tuple(opened.nodes))
        entries: list[tuple[Scalar, Node]] = []
        seen: dict[str, Mark] = {}
        for key, value in zip(opened.nodes[::2], opened.nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._findings.add(key.mark, "N106", "a key is a plain word, not a list or a mapping")
            elif key.text in seen:
                first = seen[key.text].line
                self._findings.add(key.mark, "N105", f"'{key.text}' is written twice; the first is on line {first}")
            else:
                seen[key.text] = key.mark
                entries.append((key, value))
        mark = entries[0][0].mark if entries else opened.mark
        return Mapping(mark, tuple(entries))

    def _remember(self, anchor: str | None, node: Node, weight: int, height: int) -> None:
        if anchor:
            self._anchors[anchor] = (node, weight, height)

    def _follow(self, event: yaml.AliasEvent) -> tuple[Node, int, int]:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Stop(self._mark(event), "N104", f"more than {MAX_ALIASES} aliases in one file", "write it out")
        if event.anchor not in self._anchors:
            raise _Stop(self._mark(event), "N101", f"this is not YAML: no anchor '&{event.anchor}' stands above")
        known = self._anchors[event.anchor]
        if known is None:
            raise _Stop(
                self._mark(event), "N104", f"'*{event.anchor}' stands inside of what it repeats", "write it out"
            )
        return known

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._findings.add(self._mark(event), "N109", f"tags such as '{tag}' are not used here", "delete the tag")

    def _mark(self, event: yaml.Event) -> Mark:
        start, end = event.start_mark, event.end_mark
        assert start is not None  # events of a parsed text have both
        assert end is not None
        width = end.column - start.column if end.line == start.line else 200
        return Mark(self._file, start.line + 1, start.column + 1, max(1, width))


def expand(node: Node, lookup: dict[str, str]) -> Node:
    """The tree with every `${NAME}` in `lookup` put in; the others stay as written."""

    def put(match: re.Match[str]) -> str:
        return lookup.get(match[1], match[0])

    match node:
        case Scalar(text=text) if "${" in text:
            return replace(node, text=PLACEHOLDER.sub(put, text), quoted=True)
        case Sequence(items=items):
            return replace(node, items=tuple(expand(item, lookup) for item in items))
        case Mapping(entries=entries):
            return replace(node, entries=tuple((key, expand(value, lookup)) for key, value in entries))
    return node


PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


def placeholders(node: Node) -> list[tuple[str, Scalar]]:
    """What stands between `${` and `}` in the tree, with the scalar it stands in."""
    match node:
        case Scalar(text=text):
            return [(name, node) for name in PLACEHOLDER.findall(text)]
        case Sequence(items=items):
            return [found for item in items for found in placeholders(item)]
        case Mapping(entries=entries):
            return [found for _, value in entries for found in placeholders(value)]

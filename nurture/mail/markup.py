"""Where Jinja stands in HTML: pieces of a template, and the spot of each in the markup around it.

Everything that must know the context of a `{{ … }}` reads it here: the check (is the attribute quoted?), the guard of
link addresses, the protection of Jinja while styles are moved, and the text part. It reads like a browser does, without
repairing anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

PieceKind = Literal["text", "print", "statement", "comment", "raw"]
Where = Literal["text", "tag", "value", "unquoted", "raw", "comment"]

_OPEN = re.compile(r"\{\{|\{%|\{#")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
_TAG_NAME = re.compile(r"[A-Za-z][^\s/>]*")
_ATTRIBUTE = re.compile(r"[^\s=>/\"'{]+")
_SPACE = re.compile(r"[\s/]+")
_INSIDE = re.compile(r"\{[{%]-?\+?\s*(.*?)\s*[-+]?[%}]\}", re.DOTALL)

# Elements whose content is text and not markup.
RAW_ELEMENTS = frozenset({"style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview"})
# Elements without content, so without an end tag.
VOID_ELEMENTS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a template; `start` is its offset in the source."""

    kind: PieceKind
    text: str
    start: int

    @property
    def code(self) -> str:
        """What stands between the braces."""
        found = _INSIDE.fullmatch(self.text)
        return found[1] if found else ""


class Tag(msgspec.Struct, frozen=True):
    """A start or end tag; attribute values keep their Jinja as written, None is an attribute without value."""

    name: str
    closing: bool
    attributes: dict[str, str | None]
    start: int
    end: int


class Spot(msgspec.Struct, frozen=True):
    """Where a print or a statement stands. `before` is the literal text of the attribute value up to there."""

    piece: Piece
    where: Where
    element: str
    attribute: str = ""
    before: str = ""


class Markup(msgspec.Struct, frozen=True):
    """A template read as HTML: what is shown in order (`flow`), and the spot of every piece of Jinja."""

    flow: list[str | Piece | Tag]
    spots: list[Spot]

    def tags(self) -> Iterator[Tag]:
        return (item for item in self.flow if isinstance(item, Tag))


def split(source: str) -> list[Piece]:
    """The source cut into text and Jinja; the texts joined are the source again. What follows an unclosed brace is
    text: Jinja refuses it, and looking on behind each of many would take hours (trust X2)."""
    pieces: list[Piece] = []
    done = 0
    while found := _OPEN.search(source, done):
        kind, end = _piece_at(source, found)
        if end < 0:
            break
        if found.start() > done:
            pieces.append(Piece("text", source[done : found.start()], done))
        pieces.append(Piece(kind, source[found.start() : end], found.start()))
        done = end
    if done < len(source):
        pieces.append(Piece("text", source[done:], done))
    return pieces


def _piece_at(source: str, found: re.Match[str]) -> tuple[PieceKind, int]:
    start = found.start()
    if found[0] == "{#":
        end = source.find("#}", start)
        return "comment", end + 2 if end >= 0 else -1
    if found[0] == "{%" and (raw := _RAW.match(source, start)):
        stop = _END_RAW.search(source, raw.end())
        return "raw", stop.end() if stop else -1
    close = "}}" if found[0] == "{{" else "%}"
    return ("print" if close == "}}" else "statement"), _closing(source, found.end(), close)


def _closing(source: str, at: int, close: str) -> int:
    """The offset behind the braces that close an expression; strings and inner braces are stepped over."""
    depth = 0
    while at < len(source):
        if depth == 0 and source.startswith(close, at):
            return at + 2
        char = source[at]
        if char in "\"'":
            string = _STRING.match(source, at)
            if string is None:
                return -1
            at = string.end()
            continue
        depth += (char == "{") - (char == "}" and depth > 0)
        at += 1
    return -1


def read(source: str) -> Markup:
    """The template read as HTML. Comments of Jinja vanish."""
    reader = _Reader()
    for piece in split(source):
        match piece.kind:
            case "text":
                reader.feed(piece.text, piece.start)
            case "comment":
                pass
            case _:
                reader.take(piece)
    return Markup(reader.flow, reader.spots)


class _Reader:
    """The states of an HTML tokenizer that matter to us."""

    def __init__(self) -> None:
        self.flow: list[str | Piece | Tag] = []
        self.spots: list[Spot] = []
        self._mode: Literal["text", "tag", "await", "quoted", "unquoted", "comment", "raw"] = "text"
        self._quote = ""
        self._element = ""  # of the tag being read, else the raw element we are in
        self._closing = False
        self._start = 0
        self._attribute = ""
        self._value = ""
        self._literal = ""
        self._attributes: dict[str, str | None] = {}

    def take(self, piece: Piece) -> None:
        mode = self._mode
        if mode == "text":
            self.flow.append(piece)
            self.spots.append(Spot(piece, "text", ""))
            return
        if mode == "await":
            self._mode = mode = "unquoted"
        where: Where = "value" if mode == "quoted" else mode
        attribute = self._attribute if mode in {"quoted", "unquoted"} else ""
        self.spots.append(Spot(piece, where, self._element, attribute, self._literal if attribute else ""))
        if attribute:
            self._value += piece.text

    def feed(self, text: str, offset: int) -> None:
        at = 0
        steps = {
            "text": self._text,
            "tag": self._tag,
            "await": self._await,
            "quoted": self._quoted,
            "unquoted": self._unquoted,
            "comment": self._comment,
            "raw": self._raw,
        }
        while at < len(text):
            at = steps[self._mode](text, at, offset)

    def _text(self, text: str, at: int, offset: int) -> int:
        less = text.find("<", at)
        if less < 0:
            self.flow.append(text[at:])
            return len(text)
        if less > at:
            self.flow.append(text[at:less])
        if text.startswith("<!--", less):
            self._mode = "comment"
            return less + 4
        closing = text.startswith("</", less)
        name = _TAG_NAME.match(text, less + 1 + closing)
        if name is None:
            if text.startswith("<!", less) or closing:  # a doctype, or `</>`: a comment to browsers
                end = text.find(">", less)
                return len(text) if end < 0 else end + 1
            self.flow.append("<")
            return less + 1
        self._mode, self._element, self._closing = "tag", name[0].lower(), closing
        self._start, self._attributes, self._attribute = offset + less, {}, ""
        return name.end()

    def _tag(self, text: str, at: int, offset: int) -> int:
        if text[at] == ">":
            tag = Tag(self._element, self._closing, self._attributes, self._start, offset + at + 1)
            self.flow.append(tag)
            raw = not self._closing and self._element in RAW_ELEMENTS
            self._mode = "raw" if raw else "text"
            return at + 1
        if text[at] == "=" and self._attribute:
            self._mode, self._value, self._literal = "await", "", ""
            return at + 1
        if space := _SPACE.match(text, at):
            return space.end()
        if name := _ATTRIBUTE.match(text, at):
            self._attribute = name[0].lower()
            self._attributes.setdefault(self._attribute, None)
            return name.end()
        return at + 1

    def _await(self, text: str, at: int, offset: int) -> int:
        if text[at].isspace():
            return at + 1
        if text[at] in "\"'":
            self._mode, self._quote = "quoted", text[at]
            return at + 1
        self._mode = "tag" if text[at] == ">" else "unquoted"
        return at

    def _quoted(self, text: str, at: int, offset: int) -> int:
        end = text.find(self._quote, at)
        part = text[at:] if end < 0 else text[at:end]
        self._value += part
        self._literal += part
        if end < 0:
            return len(text)
        self._close_value()
        return end + 1

    def _unquoted(self, text: str, at: int, offset: int) -> int:
        end = at
        while end < len(text) and not text[end].isspace() and text[end] != ">":
            end += 1
        self._value += text[at:end]
        self._literal += text[at:end]
        if end < len(text):
            self._close_value()
        return end

    def _close_value(self) -> None:
        self._attributes[self._attribute] = self._value
        self._mode, self._attribute = "tag", ""

    def _comment(self, text: str, at: int, offset: int) -> int:
        end = text.find("-->", at)
        if end < 0:
            return len(text)
        self._mode = "text"
        return end + 3

    def _raw(self, text: str, at: int, offset: int) -> int:
        found = re.compile(f"</{re.escape(self._element)}", re.IGNORECASE).search(text, at)
        if found is None:
            return len(text)
        self._mode = "text"
        return found.start()

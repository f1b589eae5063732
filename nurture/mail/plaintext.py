"""The text part of a mail that has none: made from its HTML once per version, with its Jinja kept in place.

Reading goes straight down, so that a loop or a branch of the HTML is the same loop or branch of the text; an HTML
parser per mail would cost ten times the rest of the rendering. Links stand behind their words, `Unsubscribe <https://…>`.
"""

from __future__ import annotations

import html
import re

from nurture.mail.markup import VOID_ELEMENTS, Piece, Tag, read, split

_PARAGRAPHS_NAMES = "p h1 h2 h3 h4 h5 h6 ul ol table blockquote hr pre dl section article header footer"
_PARAGRAPHS = frozenset(_PARAGRAPHS_NAMES.split())
_LINES = frozenset({"div", "tr", "li", "br", "center", "address", "dt", "dd", "mj-text", "caption"})
# Breaks that meet become one, once the rendered text is put together.
_LINE, _PARAGRAPH = "\x0b", "\x0c"
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"head", "style", "script", "title", "textarea", "noscript", "template", "object"})
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n\f]+")
_ALL_SPACES = str.maketrans("\t\r\u00a0\x1c\x1d\x1e\x1f\x85", " " * 8)
_DELIMITER = re.compile(r"\{[{%#]")


def text_source(source: str) -> str:
    """A Jinja source of the text part, for the environment that does not escape."""
    told = _Teller().tell(source)
    told = re.sub(rf"[ \n{_LINE}{_PARAGRAPH}]*{_PARAGRAPH}[ \n{_LINE}{_PARAGRAPH}]*", _PARAGRAPH, told)
    told = re.sub(rf" *{_LINE}[ {_LINE}]*", _LINE, told)
    # Breaks between words are final; beside Jinja it shows only in the rendered text what they meet.
    told = re.sub(rf"(?<=[^\s}}]){_PARAGRAPH}(?=[^\s{{])", "\n\n", told)
    return re.sub(rf"(?<=[^\s}}]){_LINE}(?=[^\s{{])", "\n", told)


def tidy(text: str, *, derived: bool = True) -> str:
    """Rendered text with at most one empty line between paragraphs and no space at line ends.

    Indents stay in what an author wrote; in what was `derived` from HTML they were never meant.
    """
    if not derived:
        return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip() + "\n"
    # String methods throughout: regular expressions over every blank took 90 µs a mail, this takes 5.
    paragraphs = []
    for block in text.split(_PARAGRAPH):
        parts = [_tidy_lines(part) for part in block.split(_LINE)]
        if words := "\n".join(filter(None, parts)):
            paragraphs.append(words)
    return "\n\n".join(paragraphs) + "\n"


def _tidy_lines(part: str) -> str:
    """Hard breaks stay, two at most; blanks become single spaces."""
    part = part.strip()
    if not any(blank in part for blank in ("  ", " \n", "\n ", "\n\n\n", "\t", "\u00a0", "\r")):
        return part
    # Only these blanks: the narrow no-break space before a French mark stays, and the mark on its line.
    spaced = part.translate(_ALL_SPACES).split("\n")
    lines = "\n".join([" ".join(filter(None, line.split(" "))) for line in spaced]).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", lines) if "\n\n\n" in lines else lines


class _Teller:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._unseen: list[str] = []  # the elements we are silent in, and those of the same name inside
        self._links: list[tuple[str, int]] = []  # address, and where its words begin in `_out`

    def tell(self, source: str) -> str:
        for item in read(source).flow:
            match item:
                case str():
                    if not self._unseen:
                        self._out.append(
                            _safe(_BLANK.sub(" ", html.unescape(_BLANK.sub(" ", item)).replace("\u00a0", " ")))
                        )
                case Piece(kind="print"):
                    if not self._unseen:
                        self._out.append(item.text)
                case Piece():
                    self._out.append(item.text)  # a loop or `set` counts wherever it stands
                case Tag():
                    self._tag(item)
        return "".join(self._out)

    def _tag(self, tag: Tag) -> None:
        if self._unseen:
            if tag.name == self._unseen[0] and tag.name not in VOID_ELEMENTS:
                self._unseen.append(tag.name) if not tag.closing else self._unseen.pop()
            return
        if not tag.closing and tag.name not in VOID_ELEMENTS and (tag.name in _UNSEEN or _is_hidden(tag)):
            self._unseen.append(tag.name)
        elif tag.name == "a":
            self._anchor(tag)
        elif tag.name == "img" and tag.attributes.get("alt"):
            self._out.append(_attribute(tag.attributes["alt"] or ""))
        elif tag.name == "li" and not tag.closing:
            self._out.append(f"{_LINE}- ")
        elif tag.name == "hr":
            self._out.append(f"{_PARAGRAPH}---{_PARAGRAPH}")
        elif tag.name == "br":
            self._out.append("\n")
        elif tag.name in _PARAGRAPHS:
            self._out.append(_PARAGRAPH)
        elif tag.name in _LINES:
            self._out.append(_LINE)
        elif tag.name in _CELLS:
            self._out.append(" ")

    def _anchor(self, tag: Tag) -> None:
        if not tag.closing:
            self._links.append((_attribute(tag.attributes.get("href") or ""), len(self._out)))
            return
        if not self._links:
            return
        address, start = self._links.pop()
        words = "".join(self._out[start:]).strip()
        bare = re.sub(r"^(https?://|mailto:)|/$", "", address)
        if address and not address.startswith("#") and words not in {address, bare}:
            self._out.append(f" <{address}> " if words else f"{address} ")


def _is_hidden(tag: Tag) -> bool:
    style = tag.attributes.get("style") or ""
    return (
        bool(_HIDDEN_STYLE.search(style)) or tag.attributes.get("aria-hidden") == "true" or "hidden" in tag.attributes
    )


def _attribute(value: str) -> str:
    """An attribute's value as text; its Jinja stays, the words around it are unescaped."""
    return "".join(p.text if p.kind != "text" else _safe(html.unescape(p.text)) for p in split(value)).strip()


def _safe(text: str) -> str:
    """What unescaping made look like Jinja is text still."""
    return f"{{% raw %}}{text}{{% endraw %}}" if _DELIMITER.search(text) else text

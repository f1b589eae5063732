"""A printed mail as what it says and links to: the HTML read once, for all that judges it."""

from __future__ import annotations

import html as entities
from functools import cached_property

import msgspec

from nurture.mail.contrast import declarations
from nurture.mail.markup import VOID_ELEMENTS, Piece, Tag, read

_BREAK_NAMES = "address br div h1 h2 h3 h4 h5 h6 hr li p table td th tr ul ol"
_BREAKS = frozenset(_BREAK_NAMES.split())
_SILENT = frozenset({"head", "style", "script", "title"})


class Letter(msgspec.Struct, frozen=True, dict=True):
    """A printed mail and what it must keep to. `given` are the addresses a lead's data brought along: their hosts are
    not the author's. `home` is the sender's domain, `base` where our own pages lie.
    A `notice` is for a colleague."""

    subject: str
    html: str
    text: str
    locale: str = ""
    marketing: bool = False
    postal_address: str = ""
    base: str = ""
    home: str = ""
    given: frozenset[str] = frozenset()
    notice: bool = False

    @cached_property
    def flow(self) -> list[str | Piece | Tag]:
        return read(self.html).flow

    @cached_property
    def tags(self) -> list[Tag]:
        return [item for item in self.flow if isinstance(item, Tag) and not item.closing]

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """Each link of the HTML with its words, those of its pictures too."""
        found: list[list[str]] = []
        inside = False
        for item in self.flow:
            if isinstance(item, Tag) and item.name == "a":
                inside = not item.closing and "href" in item.attributes
                if inside:
                    found.append([entities.unescape(item.attributes["href"] or "").strip(), ""])
            elif inside and isinstance(item, Tag):
                found[-1][1] += entities.unescape(item.attributes.get("alt") or "")
            elif inside and isinstance(item, str):
                found[-1][1] += entities.unescape(item)
        return [(address, " ".join(words.split())) for address, words in found]

    @property
    def words(self) -> str:
        """All words of the HTML in one line, the preheader among them."""
        return self._told[1]

    @property
    def preheader(self) -> str:
        """Hidden words before the first one sees: a list of mails shows them behind the subject."""
        return self._told[0]

    @cached_property
    def _told(self) -> tuple[str, str]:
        before: list[str] = []
        words: list[str] = []
        silent: list[str] = []
        hidden: list[str] = []
        begun = False
        for item in self.flow:
            if isinstance(item, Tag):
                _nest(silent, item, item.name in _SILENT)
                _nest(hidden, item, not item.closing and _is_hidden(item))
                words.append(" " * (item.name in _BREAKS))
            elif isinstance(item, str) and not silent:
                words.append(entities.unescape(item))
                begun = begun or bool(item.strip() and not hidden)
                before += [] if begun else words[-1:]
        return " ".join("".join(before).split()), " ".join("".join(words).split())


def _nest(stack: list[str], tag: Tag, enters: bool) -> None:
    """Stay inside an element until its own end; those of the same name inside count."""
    if stack and tag.name == stack[0]:
        stack.pop() if tag.closing else stack.append(tag.name)
    elif not stack and enters and not tag.closing and tag.name not in VOID_ELEMENTS:
        stack.append(tag.name)


def _is_hidden(tag: Tag) -> bool:
    style = declarations(tag.attributes.get("style") or "")
    return style.get("display") == "none" or style.get("mso-hide") == "all" or style.get("max-height") in ("0", "0px")

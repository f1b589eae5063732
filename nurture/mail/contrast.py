"""Texts of a rendered mail that are hard to read on what lies behind them (WCAG 2.2, 1.4.3), in light and in dark.

Reads inline styles, the mail's own rules and its rules for the dark, `bgcolor` and `<font color>`; colours and sizes
are handed down as a browser does. Behind a picture or a gradient without a colour nothing can be said.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from nurture.mail.colour import BLACK, WHITE, Colour, colour, contrast, first_colour
from nurture.mail.markup import VOID_ELEMENTS, Tag, read
from nurture.mail.scheme import Scheme, adapts, inlined

ENOUGH, ENOUGH_LARGE = 4.5, 3.0  # AA
_LARGE, _LARGE_BOLD = 24.0, 18.66  # pixels: 18 and 14 points
_UNSEEN_SIZE = 2.0  # pixels; a preheader is meant for the list of mails, not for the eye
_UNSEEN = frozenset({"head", "style", "script", "title", "textarea", "template", "noscript"})
_BOLD = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})
_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "small": 0.83, "big": 1.2}
_LINK = {"light": Colour(0, 0, 238), "dark": Colour(158, 158, 255)}
_DARK_CANVAS = Colour(18, 18, 18)
_SIZE = re.compile(r"(\d*\.?\d+)(px|pt|em|rem|%)", re.IGNORECASE)


class Faint(msgspec.Struct, frozen=True):
    """A text and its colours. `ratio` is below `needed`."""

    words: str
    ink: str
    ground: str
    ratio: float
    needed: float
    scheme: Scheme


class _Look(msgspec.Struct, frozen=True):
    """What an element hands down. `ground` None is a picture nobody knows the colour of."""

    name: str
    ink: Colour
    ground: Colour | None
    size: float = 16.0
    bold: bool = False
    seen: bool = True


def faint(html: str, scheme: Scheme) -> list[Faint]:
    """Each pair of colours that is too close, once, with the first words in it. Nothing in the dark for a mail that
    says nothing about the dark: what its readers see then is their mail program's own choice."""
    if scheme == "dark" and not adapts(html):
        return []
    found: dict[tuple[str, str], Faint] = {}
    for words, look in _texts(inlined(html, scheme), scheme):
        if look.ground is None:
            continue
        ink = look.ink.over(look.ground)
        ratio = contrast(ink, look.ground)
        large = look.size >= _LARGE or (look.bold and look.size >= _LARGE_BOLD)
        needed = ENOUGH_LARGE if large else ENOUGH
        if ratio < needed:
            pair = str(ink), str(look.ground)
            found.setdefault(pair, Faint(words, *pair, int(ratio * 100) / 100, needed, scheme))
    return list(found.values())


def _texts(html: str, scheme: Scheme) -> Iterator[tuple[str, _Look]]:
    """Every text one sees, with how it is shown."""
    dark = scheme == "dark"
    stack = [_Look("", WHITE if dark else BLACK, _DARK_CANVAS if dark else WHITE)]
    for item in read(html).flow:
        if isinstance(item, Tag):
            _step(stack, item, scheme)
        elif isinstance(item, str) and stack[-1].seen and stack[-1].size >= _UNSEEN_SIZE:
            words = " ".join(entities.unescape(item).replace("\u200c", "").split())
            if any(sign.isalnum() for sign in words):
                yield words, stack[-1]


def _step(stack: list[_Look], tag: Tag, scheme: Scheme) -> None:
    """Into an element, or out of it and of all that it was forgotten to close."""
    if tag.name in VOID_ELEMENTS:
        return
    if not tag.closing:
        stack.append(_look(tag, stack[-1], scheme))
    elif any(look.name == tag.name for look in stack[1:]):
        while stack.pop().name != tag.name:
            pass


def _look(tag: Tag, above: _Look, scheme: Scheme) -> _Look:
    style = declarations(tag.attributes.get("style") or "")
    size = _size(style, above.size, tag.name)
    weight = style.get("font-weight", "") or " ".join(style.get("font", "").split()[:3])
    bold = bool(re.search(r"bold|[7-9]00", weight)) if weight else above.bold or tag.name in _BOLD
    hidden = (
        tag.name in _UNSEEN
        or tag.attributes.get("aria-hidden") == "true"
        or "hidden" in tag.attributes
        or style.get("display") == "none"
        or style.get("visibility") == "hidden"
        or style.get("mso-hide") == "all"
        or re.fullmatch(r"0*\.?0*", style.get("opacity", "1")) is not None
    )
    return _Look(
        tag.name, _ink(tag, style, above, scheme), _ground(tag, style, above), size, bold, above.seen and not hidden
    )


def _ink(tag: Tag, style: Mapping[str, str], above: _Look, scheme: Scheme) -> Colour:
    named = colour(style.get("color", "")) or colour(tag.attributes.get("color") or "" if tag.name == "font" else "")
    if named is None and tag.name == "a" and tag.attributes.get("href") and style.get("color") != "inherit":
        return _LINK[scheme]
    return named or above.ink


def _ground(tag: Tag, style: Mapping[str, str], above: _Look) -> Colour | None:
    """A picture behind a text counts as the colour under it: many see that alone."""
    said = style.get("background-color") or style.get("background", "")
    named = first_colour(said) if said else colour(tag.attributes.get("bgcolor") or "")
    if named is None:
        covered = "gradient(" in f"{said}{style.get('background-image', '')}" or "var(" in said
        return None if covered else above.ground
    if above.ground is None:
        return named if named.alpha == 1 else None
    return named.over(above.ground)


def _size(style: Mapping[str, str], above: float, name: str) -> float:
    found = _SIZE.match(style.get("font-size", "")) or _SIZE.search(style.get("font", ""))
    if found is None:
        return above * _SIZES.get(name, 1.0)
    number, unit = float(found[1]), found[2].lower()
    return {"px": number, "pt": number * 4 / 3, "em": number * above, "rem": number * 16, "%": number * above / 100}[
        unit
    ]


@lru_cache(4096)  # a mail's cells repeat a few styles many times
def declarations(style: str) -> Mapping[str, str]:
    """A style attribute as properties, the later and the important before the others."""
    found: dict[str, str] = {}
    important: set[str] = set()
    for declaration in re.split(r";(?![^(]*\))", style):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), entities.unescape(value).strip().lower()
        strong = value.endswith("!important")
        if not colon or (name in important and not strong):
            continue
        found[name] = value.removesuffix("!important").strip()
        if strong:
            important.add(name)
        if name == "background" and (strong or "background-color" not in important):
            found.pop("background-color", None)  # the shorthand sets it anew
    return found

"""A rendered mail as a reader's light or dark shows it: `@media (prefers-color-scheme: dark)` decided one way."""

from __future__ import annotations

import re
from typing import Literal

import css_inline

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

_ASKED = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_ADAPTS = re.compile(r"prefers-color-scheme\s*:\s*dark|color-scheme[^>;}]*\bdark\b", re.IGNORECASE)
_STYLE = re.compile(r"(<style[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)


def adapts(html: str) -> bool:
    """Whether the mail says anything about the dark."""
    return _ADAPTS.search(html) is not None


def in_scheme(html: str, scheme: Scheme) -> str:
    """The mail for a frame, whose own light or dark is the reader's and not ours to choose."""
    told = _ASKED.sub(lambda asked: "(min-width:0)" if asked[1].lower() == scheme else "(max-width:0)", html)
    if not adapts(html):
        return told
    rule = f"<style>:root{{color-scheme:{scheme}!important}}</style>"
    return _HEAD_END.sub(lambda end: rule + end[0], told, count=1)


def inlined(html: str, scheme: Scheme) -> str:
    """The mail with the rules of this scheme written onto its elements; other media queries are left out."""
    flat = _STYLE.sub(lambda found: found[1] + _rules(found[2], scheme) + found[3], html)
    try:
        return str(css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False).inline(flat))
    except css_inline.InlineError:
        return html


def _rules(css: str, scheme: Scheme) -> str:
    """The rules that hold in this scheme on any screen, `@media` around them taken away."""
    css, out, at = _COMMENT.sub("", css), [], 0
    while (begin := css.find("@", at)) >= 0:
        out.append(css[at:begin])
        brace, semicolon = css.find("{", begin), css.find(";", begin)
        if brace < 0 or -1 < semicolon < brace:  # @import, @charset
            at = semicolon + 1 if semicolon >= 0 else len(css)
            continue
        at = _closing(css, brace)
        asked = _ASKED.search(css, begin, brace)
        if asked and asked[1].lower() == scheme and not re.search(r"\bnot\b|\bprint\b", css[begin:brace]):
            out.append(_rules(css[brace + 1 : at - 1], scheme))
    return "".join(out) + css[at:]


def _closing(css: str, brace: int) -> int:
    """The offset behind the brace that closes this one, and behind the end where none does."""
    depth = 0
    for at in range(brace, len(css)):
        depth += (css[at] == "{") - (css[at] == "}")
        if depth == 0:
            return at + 1
    return len(css) + 1

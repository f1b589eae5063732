"""Counted links and the counting picture, put into a mail of somebody who agreed to them and into no other (C20).

Only addresses of web pages in `<a href>` are rewritten: never our own (unsubscribing is not counted), never `mailto:`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import urlsplit

_LINK = re.compile(r"""(<a\b[^>]*?\shref=)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_END = re.compile(r"</body\s*>", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def count_links(text: str, own: str, link: Callable[[int], str]) -> tuple[str, list[str]]:
    """The HTML with each link to a page as `link(n)`, and the pages in order of n, each once; `own` is where our own
    pages lie."""
    pages: dict[str, int] = {}

    def rewritten(match: re.Match[str]) -> str:
        page = html.unescape(match[2] if match[2] is not None else match[3])
        if not leads_out(page) or page == own or page.startswith(own.rstrip("/") + "/"):
            return match[0]
        number = pages.setdefault(page, len(pages))
        return f'{match[1]}"{html.escape(link(number))}"'

    return _LINK.sub(rewritten, text), list(pages)


def count_openings(text: str, picture: str) -> str:
    """The HTML with the picture at its end."""
    tag = f'<img src="{html.escape(picture)}" width="1" height="1" alt="">'
    found = _END.search(text)
    return text + tag if found is None else text[: found.start()] + tag + text[found.start() :]


def leads_out(page: str) -> bool:
    """Whether this is a whole address of a page, written so that no browser reads it as another (trust X10)."""
    if _UNSAFE.search(page):
        return False
    try:
        parts = urlsplit(page)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and page.partition(":")[2].startswith("//")
    except ValueError:
        return False

"""HTML made ready once per version: MJML compiled, styles written onto elements, the preheader put in, links guarded.

Each tool reads HTML and none knows Jinja, so Jinja is hidden from them behind words they leave alone: a comment where
text stands (tables throw bare text out), a plain word inside attributes. Afterwards the tags and the Jinja must stand
in the same order as before; where a tool "repaired" the mail, its result is not used: a repaired loop loops wrongly.
"""

from __future__ import annotations

import re

import css_inline
import msgspec

from nurture.mail.markup import Piece, Spot, read, split
from nurture.mail.template import TemplateBroken

URL_ATTRIBUTES = frozenset({"href", "src", "action", "background", "formaction", "poster", "cite", "xlink:href"})

_STYLE = re.compile(r"<style[\s>]", re.IGNORECASE)
_STYLE_ELEMENT = re.compile(r"<style.*?</style\s*>", re.DOTALL | re.IGNORECASE)
_DOCUMENT = re.compile(r"<html[\s>]", re.IGNORECASE)
_BODY = re.compile(r"<body[^>]*>", re.IGNORECASE)
_TABLE_PARTS = frozenset({"tbody", "thead", "tfoot", "caption", "colgroup", "col"})
_HIDDEN = (
    '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;'
    'line-height:1px">{{ preheader }}</div>'
)
_EMPTY_DOCUMENT = (
    '<!doctype html>\n<html lang="{{ locale }}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{{ subject }}</title>\n</head>\n'
)


class Prepared(msgspec.Struct, frozen=True):
    """HTML ready for Jinja. `inlined` is False where styles stay in `<style>` because tags do not balance."""

    html: str
    inlined: bool = True


def prepare(source: str, *, mjml: bool = False, preheader: bool = False, file: str = "") -> Prepared:
    """A flattened source made ready. Raises TemplateBroken for MJML that cannot be compiled."""
    if mjml:
        source = _compiled(source, file)
    if not _DOCUMENT.search(source):
        source = f"{_EMPTY_DOCUMENT}<body>\n{source}\n</body>\n</html>\n"
    source = read_without_comments(source)
    if preheader and not _prints(source, "preheader"):
        source = _BODY.sub(lambda body: body[0] + _HIDDEN, source, count=1)
    prepared = _inlined(source)
    return Prepared(guarded(prepared.html), prepared.inlined)


def read_without_comments(source: str) -> str:
    """The source without Jinja's comments, which are for authors."""
    if "{#" not in source:
        return source
    return "".join(piece.text for piece in split(source) if piece.kind != "comment")


# ── Jinja behind words ──────────────────────────────────────────────────────────────────────────────────────────────


class _Veil:
    """Jinja replaced by words, and back."""

    def __init__(self, source: str) -> None:
        self.word = "jnj"
        while self.word in source:
            self.word += "q"
        self._pieces: list[Piece] = []
        out, at = [], 0
        for spot in read(source).spots:
            piece = spot.piece
            out.append(source[at : piece.start])
            word = f"{self.word}{len(self._pieces)}z"
            out.append({"text": f"<!--{word}-->", "tag": f" {word} "}.get(spot.where, word))
            self._pieces.append(piece)
            at = piece.start + len(piece.text)
        self.hidden = "".join(out) + source[at:]
        self._back = re.compile(rf'<!--{self.word}(\d+)z-->|{self.word}(\d+)z(?:="")?')

    def lift(self, text: str) -> str:
        return self._back.sub(lambda m: self._pieces[int(m[1] or m[2])].text, text)

    def order(self, text: str) -> list[str]:
        """Tags and words as they follow each other: what must not change. Tags of the document may be left out."""
        bare = _STYLE_ELEMENT.sub("", text)
        found = (m[0].lower() for m in re.finditer(rf"{self.word}\d+z|</?[a-zA-Z][a-zA-Z0-9:-]*", bare))
        return [tag for tag in found if tag.strip("</") not in {"html", "head", "body"}]


def _compiled(source: str, file: str) -> str:
    try:
        from mjml import mjml2html
    except ImportError as error:
        raise TemplateBroken("a .mjml file needs the extra 'mjml': pip install 'nurture[mjml]'", file) from error
    veil = _Veil(source)
    try:
        html = str(mjml2html(veil.hidden, fonts={}))
    except Exception as error:
        raise TemplateBroken(f"MJML cannot be compiled: {error}", file) from error
    missing = sorted(set(re.findall(rf"{veil.word}(\d+)z", veil.hidden)) - set(re.findall(rf"{veil.word}(\d+)z", html)))
    if missing:
        lost = veil.lift(f"{veil.word}{missing[0]}z")
        raise TemplateBroken(f"MJML drops {lost}; put it inside <mj-raw> or into a text", file)
    return veil.lift(html)


def _inlined(source: str) -> Prepared:
    if not _STYLE.search(source):
        return Prepared(source)
    if any(spot.where == "tag" for spot in read(source).spots):
        return Prepared(source, inlined=False)  # attributes change their order, and an {% if %} among them its meaning
    whole = _with_bodies(source)
    veil = _Veil(whole)
    inliner = css_inline.CSSInliner(keep_style_tags=True, remove_inlined_selectors=True, load_remote_stylesheets=False)
    try:
        inlined = inliner.inline(veil.hidden)
    except css_inline.InlineError:
        return Prepared(source, inlined=False)
    if veil.order(inlined) != veil.order(veil.hidden):
        return Prepared(source, inlined=False)
    return Prepared(veil.lift(inlined))


def _with_bodies(source: str) -> str:
    """Every table with its `<tbody>` written, where a browser would put one in: behind a `{% for %}` it would open
    once a turn and close once."""
    markup = read(source)
    inserts: list[tuple[int, str]] = []
    stack: list[bool] = []
    tags = list(markup.tags())
    for index, tag in enumerate(tags):
        if tag.name != "table":
            continue
        if not tag.closing:
            after = tags[index + 1] if index + 1 < len(tags) else None
            bare = after is not None and not after.closing and after.name == "tr"
            stack.append(bare)
            if bare:
                inserts.append((tag.end, "<tbody>"))
        elif stack and stack.pop():
            inserts.append((tag.start, "</tbody>"))
    out, at = [], 0
    for offset, text in sorted(inserts):
        out += [source[at:offset], text]
        at = offset
    return "".join(out) + source[at:]


def guarded(source: str) -> str:
    """A print that begins the value of a link or picture goes through `web_address`, one in a style through
    `style_value`: escaping for HTML stops neither scripts nor what CSS fetches (trust X3)."""
    out, at = [], 0
    for spot in read(source).spots:
        piece, filter_ = spot.piece, _guard_of(spot)
        if filter_ is None:
            continue
        left, right = "-" * piece.text.startswith("{{-"), "-" * piece.text.endswith("-}}")
        out += [source[at : piece.start], f"{{{{{left} ({piece.code}) | {filter_} {right}}}}}"]
        at = piece.start + len(piece.text)
    return "".join(out) + source[at:]


def _guard_of(spot: Spot) -> str | None:
    """The filter that a print needs for the place where it stands."""
    if spot.piece.kind != "print":
        return None
    if spot.where == "raw":
        return "style_value" if spot.element == "style" else None
    if spot.where not in {"value", "unquoted"}:
        return None
    if spot.attribute == "style":
        return "style_value"
    begins = spot.attribute in URL_ATTRIBUTES and not spot.before.strip()
    return "web_address" if begins and not spot.piece.code.startswith("links.") else None


def _prints(source: str, name: str) -> bool:
    return any(s.piece.kind == "print" and re.match(rf"{name}\b", s.piece.code) for s in read(source).spots)

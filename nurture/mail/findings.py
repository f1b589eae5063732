"""What is wrong with a mail as one lead gets it: looked for in what is really sent, after the template's own check.

Each check reads one `Letter` and says what it found; `CHECKS` is all of them. Nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from nurture.mail.check import CLIPPED_AT
from nurture.mail.contrast import declarations, faint
from nurture.mail.letter import Letter
from nurture.mail.scheme import SCHEMES

Level = Literal["error", "warning"]

_NEAR = 90 * 1024  # octets of HTML; counted links and longer names still come on top
_HEAVY = 200 * 1024  # octets of pictures inside the mail
_LONG_SUBJECT = 70  # characters a wide list of mails shows; a phone shows about 40
_SHORT_TEXT = 0.3  # of the words of the HTML
_RESERVED = re.compile(r"(?:.*\.)?(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)|127\.0\.0\.1|\[?::1\]?")
_EXAMPLE = re.compile(r"(?:.*\.)?example\.(?:com|net|org)")  # what playbooks and manuals write
_PLACEHOLDER = re.compile(
    r"\{\{|\}\}|\{%|%\}|\[\[|\]\]|\[%|\*\||\|\*|%%\w+%%|\$\{\w+\}|%recipient|(?i:lorem ipsum)|\b(?:TODO|FIXME|TBD)\b"
    r"|\bX{3,}\b|(?i:\[(?:link|name|first.?name|date|company|your [^\]]+|insert [^\]]+)\])"
)


class Finding(msgspec.Struct, frozen=True):
    """`check` is a name of CHECKS, or `print` for a mail that cannot be made. An error should not be sent."""

    level: Level
    check: str
    text: str


def findings(letter: Letter) -> list[Finding]:
    """Everything that is wrong with it, errors first, each once."""
    told = (Finding(level, check, text) for check, look in CHECKS.items() for level, text in look(letter))
    return sorted(dict.fromkeys(told), key=lambda finding: finding.level)


# ── the checks ──────────────────────────────────────────────────────────────────────────────────────────────────────

Said = Iterator[tuple[Level, str]]


def _size(letter: Letter) -> Said:
    octets = len(letter.html.encode())
    if octets > CLIPPED_AT:
        yield "error", f"{octets // 1024} KB of HTML: Gmail cuts at 102 KB and hides the rest, the unsubscribe link too"
    elif octets > _NEAR:
        yield "warning", f"{octets // 1024} KB of HTML: Gmail cuts at 102 KB, and counted links make it longer"


def _subject(letter: Letter) -> Said:
    if not letter.subject.strip():
        yield "error", "the subject is empty"
    elif len(letter.subject) > _LONG_SUBJECT:
        yield (
            "warning",
            f"the subject has {len(letter.subject)} characters; lists of mails show about {_LONG_SUBJECT}, phones 40",
        )


def _preheader(letter: Letter) -> Said:
    if not letter.html or letter.notice:
        return
    if not letter.preheader:
        yield "warning", f"no preheader: behind the subject one reads “{_short(letter.words, 60)}”"
    elif letter.subject and letter.preheader.casefold().startswith(letter.subject.casefold()):
        yield "warning", "the preheader says what the subject says already"


def _links(letter: Letter) -> Said:
    for address, words in letter.links:
        what = f"the link “{_short(words or address)}”"
        if not words:
            yield (
                "warning",
                f"the link to {address[:60] or 'nowhere'} has no words: who listens to the mail hears its address",
            )
        yield from _address(letter, address, what)
    for address in re.findall(r"https?://[^\s<>\"]+", letter.text):
        if not letter.html:
            yield from _address(letter, address.rstrip(".,;:!?)"), f"the link {address[:60]}")


def _address(letter: Letter, address: str, what: str) -> Said:
    """What is wrong with where a link leads."""
    if address in ("", "#"):
        yield "error", f"{what} leads nowhere"
        return
    if address.startswith("#"):
        named = {tag.attributes.get("id") or tag.attributes.get("name") for tag in letter.tags}
        if address[1:] not in named:
            yield "error", f"{what} leads to {address}, which is not in the mail"
        return
    if _PLACEHOLDER.search(address):
        yield "error", f"{what} holds a placeholder nobody filled in: {address[:60]}"
        return
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        yield "error", f"{what} is no address: {address[:60]}"
        return
    if parts.scheme in ("mailto", "tel", "sms"):
        return
    if parts.scheme not in ("http", "https") or not host:
        yield "error", f"{what} is not a whole address: {address[:60]}; write https://…"
    elif parts.scheme == "http" and address not in letter.given:
        yield "warning", f"{what} is not https: {address[:60]}"
    if not _ours(letter, address, host) and _RESERVED.fullmatch(host):
        level: Level = "warning" if _RESERVED.fullmatch(letter.home) else "error"
        yield level, f"{what} leads to {host}, which is nobody's; put your own address there"


def _ours(letter: Letter, address: str, host: str) -> bool:
    """An address of our own pages, of the sender's domain, or out of a lead's data."""
    if address in letter.given or (letter.base and address.startswith(f"{letter.base}/")):
        return True
    return letter.home != "" and not _EXAMPLE.fullmatch(letter.home) and f".{host}".endswith(f".{letter.home}")


def _pictures(letter: Letter) -> Said:
    inside = 0
    for tag in letter.tags:
        if tag.name != "img":
            continue
        source = (tag.attributes.get("src") or "").strip()
        what = f"the picture {source.partition('?')[0].rpartition('/')[2][:40] or source[:40]}"
        if source[:5].lower() == "data:":
            what, inside = "a picture inside the mail", inside + len(source)
            yield "warning", "a picture lies inside the mail (data:): Gmail and Outlook do not show it"
        elif not source or not source.lower().startswith(("https://", "http://", "cid:")):
            yield "error", f"{what} has no whole address: {source[:60] or 'src is empty'}"
        elif source.lower().startswith("http://"):
            yield "warning", f"{what} is not fetched by https, so many programs do not show it"
        if "alt" not in tag.attributes:
            yield "error", f'{what} has no alt text; say what it shows, or alt="" where it only decorates'
        if "width" not in tag.attributes and "width" not in declarations(tag.attributes.get("style") or ""):
            yield "warning", f"{what} has no width: Outlook shows it as large as its file is"
    if inside > _HEAVY:
        yield "warning", f"{inside // 1024} KB of pictures lie inside the mail"


def _contrast(letter: Letter) -> Said:
    for scheme in SCHEMES if letter.html else ():
        for text in faint(letter.html, scheme):
            where = " in the dark" if scheme == "dark" else ""
            seen = f"{text.ink} on {text.ground} is {text.ratio}:1, {text.needed:g}:1 is needed"
            yield "error", f"“{_short(text.words)}” is hard to read{where}: {seen}"


def _unsubscribe(letter: Letter) -> Said:
    if not letter.marketing:
        return
    out = f"{letter.base}/u/"
    if letter.html and not any(address.startswith(out) and words for address, words in letter.links):
        yield "error", "no link to unsubscribe in the HTML of this marketing mail"
    if letter.text.strip() and out not in letter.text:
        yield "error", "no link to unsubscribe in the plain text of this marketing mail"


def _postal_address(letter: Letter) -> Said:
    address = plain(letter.postal_address)
    if not letter.marketing:
        return
    if not address:
        yield "error", "this marketing mail says no postal address; set sender.postal_address in config.yaml"
        return
    for part, words in (("HTML", letter.words if letter.html else address), ("plain text", letter.text or address)):
        if address not in plain(words):
            yield "error", f"the postal address is not in the {part} of this marketing mail"


def _short(text: str, most: int = 40) -> str:
    """The beginning of a text, whole words of it."""
    begun = text[:most]
    return text if text == begun else f"{begun.rpartition(' ')[0] or begun} …"


def plain(text: str) -> str:
    """Words alone: how they are broken into lines is nobody's business."""
    return " ".join(re.sub(r"[\W_]+", " ", text).casefold().split())


def _text(letter: Letter) -> Said:
    if not letter.text.strip():
        yield "error", "the plain text is empty; write a .txt beside the mail, or words into the HTML"
        return
    if tag := re.search(r"</?(?:p|div|td|tr|table|span|br|img|style|a\s)[^<>]*>", letter.text, re.IGNORECASE):
        yield "warning", f"the plain text holds HTML: {tag[0][:30]}"
    words, shown = len(plain(letter.text).split()), len(plain(letter.words).split())
    if words < shown * _SHORT_TEXT:
        yield "warning", f"the plain text has {words} words, the HTML {shown}: who reads it misses most"


def _placeholders(letter: Letter) -> Said:
    for part, words in (
        ("subject", letter.subject),
        ("HTML", letter.words),
        ("plain text", letter.text),
    ):
        if found := _PLACEHOLDER.search(re.sub(r"https?://\S+", "", words)):
            near = " ".join(words[max(0, found.start() - 15) : found.end() + 25].split())
            yield "error", f"a placeholder nobody filled in stands in the {part}: “{near}”"


def _language(letter: Letter) -> Said:
    page = next((tag for tag in letter.tags if tag.name == "html"), None)
    said = (page.attributes.get("lang") or "") if page is not None else ""
    if page is None or not letter.locale:
        return
    if not said:
        yield "warning", "the HTML does not say its language; write <html lang=…>, so that it is read out rightly"
    elif said.partition("-")[0].lower() != letter.locale.partition("-")[0].lower():
        yield "warning", f"the HTML says that it is in '{said}', and the mail is the one for '{letter.locale}'"


CHECKS: Mapping[str, Callable[[Letter], Said]] = {
    "size": _size,
    "subject": _subject,
    "preheader": _preheader,
    "links": _links,
    "pictures": _pictures,
    "contrast": _contrast,
    "unsubscribe": _unsubscribe,
    "address": _postal_address,
    "text": _text,
    "placeholder": _placeholders,
    "language": _language,
}

"""A mail as it arrived, judged by its DKIM signatures: do they cover what one-click unsubscribe and forgers make
necessary (trust E5)? Where the mail server signs, this is the only way to know."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nurture.cli.doctor.finding import Finding, broken, look, note, ok
from nurture.cli.doctor.policies import written
from nurture.delivery.dkim import OVERSIGNED, SIGNED

ONE_CLICK = ("list-unsubscribe", "list-unsubscribe-post")  # uncovered, the button stays away (RFC 8058 §4)
_LESS = ("content-transfer-encoding", "precedence", "auto-submitted")  # good to cover, no need
COVERED = tuple(name for name in (n.decode() for n in SIGNED) if name not in _LESS)
TWICE = tuple(name.decode() for name in OVERSIGNED)
_SELF = "sign with nurture itself (docs/how-to/sign-with-dkim.md)"
_VERDICT = re.compile(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Signature:
    """One DKIM-Signature header. `covers` counts how often each name, in lower case, stands in its h=."""

    domain: str
    selector: str
    tags: Mapping[str, str]
    covers: Counter[str]


@dataclass(frozen=True)
class Arrived:
    """What is looked at in a received mail. `fields` counts its headers, `verdict` is the receiving server's."""

    sender: str  # the domain of From
    fields: Counter[str]
    signatures: tuple[Signature, ...]
    verdict: dict[str, str]


def read(data: bytes) -> Arrived:
    """The mail's headers. Anything that is no mail has none of them."""
    mail = email.message_from_bytes(data, policy=email.policy.compat32)
    signatures = []
    for text in mail.get_all("DKIM-Signature", []):
        tags = {name: "".join(value.split()) for name, value in written(str(text)).items()}
        names = [name for name in tags.get("h", "").lower().split(":") if name]
        signatures.append(Signature(tags.get("d", "").lower(), tags.get("s", ""), tags, Counter(names)))
    sender = email.utils.parseaddr(str(mail.get("From", "")))[1].rpartition("@")[2].lower()
    said = str(mail.get("Authentication-Results", ""))  # the topmost is the receiving server's own
    verdict = {name.lower(): value.lower() for name, value in reversed(_VERDICT.findall(said))}
    return Arrived(sender, Counter(name.lower() for name in mail), tuple(signatures), verdict)


def speaking(mail: Arrived) -> list[Signature]:
    """The signatures that speak for the From domain: of itself, one above it or one below it."""
    a = mail.sender
    return [s for s in mail.signatures if s.domain == a or a.endswith("." + s.domain) or s.domain.endswith("." + a)]


def judge(mail: Arrived) -> Iterator[Finding]:
    """Whether one signature that speaks for the sender covers all it should."""
    yield from _as_sent(mail)
    if not mail.signatures:
        yield broken("dkim", "the mail is not signed", f"switch DKIM on where your mail server is set up, or {_SELF}")
        return
    aligned = speaking(mail)
    if not aligned:
        others = ", ".join(sorted({s.domain for s in mail.signatures}))
        text = f"From is of {mail.sender}, and only {others} signed"
        yield broken("align", text, f"have your mail service sign with a key for {mail.sender}, or {_SELF}")
        return
    judged = [list(_covered(s, mail)) for s in aligned]
    yield from min(judged, key=lambda found: ([f.level for f in found].count("error"), len(found)))
    yield from _verdict(mail)


def _as_sent(mail: Arrived) -> Iterator[Finding]:
    lost = [name for name in ONE_CLICK if not mail.fields[name]]
    if lost:
        text = f"the mail has no {_named(lost)}"
        yield broken("mail", text, "judge a marketing mail or a probe; if it was one, the mail server took them out")


def _covered(signature: Signature, mail: Arrived) -> Iterator[Finding]:
    who, tags = f"the signature of {signature.domain}", signature.tags
    bare = [n for n in COVERED if mail.fields[n] > signature.covers[n] and not signature.covers[n]]
    fatal = [n for n in bare if n in (*ONE_CLICK, "from")]
    if fatal:
        hint = f"have your mail service add them to h=, or {_SELF}; without, the unsubscribe button stays away"
        yield broken("dkim", f"{who} does not cover {_named(fatal)}", hint)
    milder = [n for n in bare if n not in fatal]
    if milder:
        yield look("dkim", f"{who} does not cover {_named(milder)}", f"have your service add them to h=, or {_SELF}")
    open_ = [n for n in TWICE if n not in bare and signature.covers[n] <= mail.fields[n]]
    if open_:
        text = f"{who} does not oversign {_named(open_)}: a second one put on top would pass"
        yield look("dkim", text, f"have your service list them once more than they occur, or {_SELF}")
    if "l" in tags:
        yield broken(
            "dkim", f"{who} covers only l={tags['l']} bytes: anybody may add text", f"switch l= off, or {_SELF}"
        )
    if tags.get("a", "") == "rsa-sha1":
        yield broken("dkim", f"{who} uses SHA-1, which receivers refuse", f"switch to rsa-sha256, or {_SELF}")
    if tags.get("c", "simple") != "relaxed/relaxed":
        text = f"{who} is c={tags.get('c', 'simple/simple')}: a changed space on the way breaks it"
        yield look("dkim", text, f"switch to c=relaxed/relaxed, or {_SELF}")
    if not bare and not open_:
        yield ok("dkim", f"{who} covers all it should, and oversigns what a forger would add")


def _verdict(mail: Arrived) -> Iterator[Finding]:
    """What the receiving server found; only it saw the bytes as they came in."""
    for name, value in mail.verdict.items():
        if value == "pass":
            yield ok(name, "the receiving server said pass")
        else:
            hint = "'nurture doctor' looks at the records it read; if they are right, something changed the mail"
            yield (broken if value in ("fail", "permerror") else look)(name, f"the receiving server said {value}", hint)
    if not mail.verdict:
        yield note("verdict", "the file has no Authentication-Results: whether the signature verified does not show")


def _named(names: list[str]) -> str:
    """`List-Unsubscribe, Message-ID`."""
    words = {"message-id": "Message-ID", "mime-version": "MIME-Version", "feedback-id": "Feedback-ID"}
    return ", ".join(words.get(name, "-".join(part.capitalize() for part in name.split("-"))) for name in names)

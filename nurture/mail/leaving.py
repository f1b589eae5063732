"""Leaving by mail: the token of a mailed unsubscribe, and answers that say no more than that (trust C19).

Only a token acts. Words are for a person to act on: whoever knows an address can write in its name.
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"[A-Za-z0-9_-]{2,176}\.[A-Za-z0-9_-]{22}")  # as `Links.token` makes them
_LONGEST = 120  # characters; whoever writes more says more than that
# English, French, Romanian and German, without accents. The whole answer has to be one of these.
_WISH = re.compile(
    r"(?:(?:please|i want to|s'il vous plait|svp|merci de|je veux|va rog|vreau|bitte|stop)\s+)?(?:"
    r"(?:(?:un-?subscribe|opt(?:ing)?[ -]?out|stop)(?: me| us)?|(?:remove|take|leave) (?:me|us|my (?:e-?mail|address)))"
    r"(?: (?:from|off) (?:the|this|your) (?:mailing )?list| alone| (?:e-?)?mails?)?"
    r"|(?:me )?des(?:in|ab)(?:scrire|scription|scrivez[ -]moi|onner|onnement|onnez[ -]moi)|ne m'ecrivez plus"
    r"|(?:ma )?de[sz]abon(?:are|ez|ati[ -]ma|eaza[ -]ma)|nu[ -]mi mai scrieti"
    r"|abmelden|abmeldung|abbestellen|austragen|keine (?:e-?)?mails mehr"
    r")(?:\s+(?:please|thanks?|thank you|merci|svp|multumesc|va rog|bitte|danke))?"
)
# Where the answered mail begins, as clients write it; a line that ends in a colon and is followed by ">" is one too.
_QUOTED = re.compile(
    r"^\s*(?:>|-{2,}\s*$|-{3,}.*-{3,}\s*$|_{5,}|(?:on|le|am|in data de|pe)\b.{5,200}:\s*$|(?:from|de|von|de la)\s?:\s)",
    re.IGNORECASE | re.MULTILINE,
)


def token_in(subject: str) -> str:
    """The token that is all of a mail's subject; empty where there is none. Folding may have put blanks into it."""
    joined = "".join(subject.split())
    return joined if _TOKEN.fullmatch(joined) else ""


def wants_out(text: str) -> bool:
    """Whether an answer, without what it quotes, says just that its writer wants no more mail."""
    quoted = _QUOTED.search(text)
    own = text[: quoted.start()] if quoted else text
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", own) if not unicodedata.combining(ch))
    words = " ".join(plain.replace("’", "'").replace(",", " ").casefold().split()).strip(" .!;:\"'")
    return len(words) <= _LONGEST and _WISH.fullmatch(words) is not None

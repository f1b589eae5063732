"""Whether a mail's languages are languages: a copy that nobody translated says the same as another."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nurture.mail.findings import Finding, plain
from nurture.mail.letter import Letter

_SAME = 0.5  # of the long lines
_LINE = 30  # characters; shorter ones may well be equal in two languages: names, prices


def untranslated(letters: Mapping[str, Letter]) -> dict[str, list[Finding]]:
    """Of one mail in several locales, those that say the same as another language does; by locale."""
    told: dict[str, list[Finding]] = {locale: [] for locale in letters}
    for locale, letter in letters.items():
        for other, before in letters.items():
            if other == locale:
                break
            if other.partition("-")[0] == locale.partition("-")[0]:
                continue  # French for the Swiss may be French
            lines, known = _lines(letter), _lines(before)
            same = len(lines & known)
            if lines and lines == known:
                told[locale].append(
                    Finding("error", "locale", f"not translated: '{locale}' says the same as '{other}'")
                )
            elif same > max(len(lines), 1) * _SAME:
                text = f"{same} of {len(lines)} long lines of '{locale}' are those of '{other}'"
                told[locale].append(Finding("warning", "locale", f"perhaps not translated: {text}"))
            elif len(letter.subject) > _LINE // 2 and letter.subject == before.subject:
                told[locale].append(Finding("warning", "locale", f"the subject is the same as in '{other}'"))
    return told


def _lines(letter: Letter) -> set[str]:
    """The long lines of the plain text, without addresses and the sender's own."""
    address = plain(letter.postal_address)
    found = {plain(re.sub(r"<?https?://\S+", "", line)) for line in letter.text.splitlines()}
    return {line for line in found if len(line) >= _LINE and not (address and address in line)}

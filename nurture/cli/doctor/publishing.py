"""The TXT records a sender's domain should have, to copy into DNS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nurture.cli.doctor.records import dmarc_example, spf_example

if TYPE_CHECKING:
    from nurture.settings import Settings

_STRING = 255  # octets in one string of a TXT record (RFC 1035 §3.3)


class Wanted(NamedTuple):
    """A TXT record at `name`."""

    name: str
    text: str
    about: str


def wanted(settings: Settings, leaving: Sequence[str] = ()) -> list[Wanted]:
    """The public half of every key, to the letter; SPF and DMARC as a start. Raises UserError for a key that cannot
    sign."""
    from nurture.delivery.dkim import read_key

    domain = settings.project.sender.email.rpartition("@")[2].lower()
    keys = [read_key(d.domain, d.selector, d.key) for d in settings.dkim]
    return [
        Wanted(domain, spf_example(leaving), "SPF: who may send; if there is one already, add to it"),
        *(
            Wanted(f"{k.selector}._domainkey.{k.domain}", k.record(), f"DKIM: the public half of {k.selector}")
            for k in keys
        ),
        Wanted(f"_dmarc.{domain}", dmarc_example(domain), "DMARC: a start; tighten p= when the reports look right"),
    ]


def zone(records: Iterable[Wanted]) -> Iterator[str]:
    """Lines of a zone file, long texts cut into strings."""
    for record in records:
        text = record.text
        strings = " ".join(f'"{text[i : i + _STRING]}"' for i in range(0, len(text), _STRING))
        yield f"; {record.about}"
        yield f"{record.name}. TXT {strings}"

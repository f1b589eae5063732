"""SPF and DMARC as checkdmarc finds them: it follows includes, counts look-ups and walks the tree of RFC 9989. What
comes of it is handed on as plain records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nurture.cli.doctor.names import Names, silent
from nurture.errors import UserError

EXTRA = "run: pip install 'nurture[doctor]'"


@dataclass(frozen=True, kw_only=True)
class Spf:
    """A domain's SPF record. `fault` says what makes it void, with receivers' word for it in `detail`. `networks` may
    send; `unclear`: others may, too, which only shows for a mail."""

    record: str | None = None
    fault: str = ""  # absent, several, lookups, void, include, syntax
    detail: str = ""
    lookups: int = 0
    rest: str = "neutral"  # what `all` says: pass, fail, softfail, neutral
    networks: tuple[str, ...] = ()
    unclear: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dmarc:
    """The DMARC record for a domain, found at `location`. `tags` are those written. `unheard`: where reports are sent
    without that domain's leave."""

    record: str | None = None
    location: str = ""
    fault: str = ""  # absent, several, misplaced, syntax
    detail: str = ""
    tags: dict[str, str] | None = None
    unheard: tuple[str, ...] = ()


def ready() -> None:
    """Nothing where checkdmarc is installed. Raises UserError otherwise."""
    try:
        from checkdmarc.utils import DNS_CACHE
    except ModuleNotFoundError as error:
        raise UserError("SPF and DMARC are not looked at: checkdmarc is missing", hint=EXTRA) from error
    DNS_CACHE.clear()  # it is one for the whole process, whichever nameserver was asked


def spf(names: Names, domain: str) -> Spf:
    """The record of this domain, includes followed. Raises Silent."""
    from checkdmarc import spf as library
    from dns.exception import DNSException

    record = None
    try:
        found = library.query_spf_record(domain, resolver=names.resolver)
        record = found["record"]
        told: Any = library.parse_spf_record(record, domain, resolver=names.resolver, ignore_too_many_lookups=True)
    except library.MultipleSPFRTXTRecords as error:
        return Spf(fault="several", detail=_text(error))
    except library.SPFRecordNotFound as error:
        beneath = error.__cause__ if isinstance(error.__cause__, library.SPFRecordNotFound) else error
        if isinstance(beneath.error, DNSException):
            raise silent(beneath.domain, beneath.error) from error
        return Spf(record=record, fault="include" if record else "absent", detail=_text(error))
    except library.SPFTooManyVoidDNSLookups as error:  # those two also leave the library as errors, from an include
        return Spf(record=record, fault="void", detail=_text(error))
    except library.SPFTooManyDNSLookups as error:
        return Spf(record=record, fault="lookups", detail=_text(error))
    except library.SPFError as error:
        return Spf(record=record, fault="syntax", detail=_text(error))
    except DNSException as error:
        raise silent(domain, error) from error
    fault = ""
    if "error" in told:
        fault = "lookups" if told["dns_lookups"] > 10 else "void"
    terms = list(_terms(told["parsed"], names))
    return Spf(
        record=record,
        fault=fault,
        detail=str(told.get("error", "")),
        lookups=told["dns_lookups"],
        rest=told["parsed"]["all"],
        networks=tuple(term for term in terms if term),
        unclear=not all(terms),
        remarks=tuple(dict.fromkeys([*found["warnings"], *told["warnings"]])),
    )


def _terms(parsed: Any, names: Names) -> Iterator[str]:
    """The networks that may send; an empty text for a term whose answer depends on the mail."""
    for term in parsed["mechanisms"]:
        if term["action"] != "pass":
            continue
        match term["mechanism"]:
            case "ip4" | "ip6":
                yield term["value"]
            case "a" if "addresses" in term and "%" not in term["value"]:
                yield from term["addresses"]
            case "mx" if "hosts" in term and "%" not in term["value"]:
                for host in term["hosts"]:
                    yield from names.addresses(host["hostname"])
            case "include" if term["parsed"]:
                yield from _terms(term["parsed"], names)
            case _:
                yield ""
    if parsed["redirect"] and parsed["redirect"]["parsed"]:
        yield from _terms(parsed["redirect"]["parsed"], names)


def dmarc(names: Names, domain: str) -> Dmarc:
    """The record that holds for mails from this domain: its own, or one above it. Raises Silent."""
    from checkdmarc import dmarc as library
    from dns.exception import DNSException

    record, location = None, domain
    try:
        found = library.query_dmarc_record(domain, resolver=names.resolver, ignore_unrelated_records=True)
        record, location = found["record"], found["location"]
        told = library.parse_dmarc_record(record, location, resolver=names.resolver, ignore_unrelated_records=True)
    except library.DMARCRecordNotFound as error:
        return Dmarc(fault="absent", location=domain, detail=_text(error))
    except library.MultipleDMARCRecords as error:
        return Dmarc(fault="several", location=domain, detail=_text(error))
    except library.DMARCRecordInWrongLocation as error:
        return Dmarc(fault="misplaced", location=domain, detail=_text(error))
    except library.DMARCError as error:
        if isinstance(error.__context__, DNSException):
            raise silent(domain, error.__context__) from error
        return Dmarc(record=record, fault="syntax", location=location, detail=_text(error))
    except DNSException as error:
        raise silent(domain, error) from error
    reports: Any = told["tags"].get("rua", {}).get("value", [])
    return Dmarc(
        record=record,
        location=location,
        tags=written(record),
        unheard=tuple(_unheard(names, location, [uri["address"] for uri in reports if uri["scheme"] == "mailto"])),
    )


def _unheard(names: Names, location: str, addresses: list[str]) -> Iterator[str]:
    """Domains that did not say they take reports about this one (RFC 9990 §4)."""
    from checkdmarc import dmarc as library

    for domain in dict.fromkeys(address.rpartition("@")[2].lower() for address in addresses):
        try:
            library.verify_dmarc_report_destination(location, domain, resolver=names.resolver)
        except library.UnverifiedDMARCURIDestination:
            yield domain


def written(record: str) -> dict[str, str]:
    """The tags of a `name=value; …` record, names in lower case; the first of two counts."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _text(error: Exception) -> str:
    """The library's words on one line."""
    return " ".join(str(error.args[0] if error.args else error).split())

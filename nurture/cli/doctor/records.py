"""What DNS says about a sender, judged: SPF, DKIM, DMARC, MX, PTR (trust E11). Records in, findings out; nothing is
asked here."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from nurture.cli.doctor.finding import Finding, broken, look, note, ok
from nurture.cli.doctor.policies import Dmarc, Spf, written
from nurture.delivery.dkim import LEAST_BITS, SigningKey

MOST_LOOKUPS = 10  # of one SPF record (RFC 7208 §4.6.4)
_REMOVED = ("pct", "rf", "ri")  # by RFC 9989
_KNOWN = {"v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf", *_REMOVED}


# --- SPF


def judge_spf(domain: str, found: Spf, senders: Sequence[str] = ()) -> Iterator[Finding]:
    """The record of the domain that bounces go to. `senders` are addresses that mails surely leave from."""
    at = f"the TXT record 'v=spf1 …' of {domain}"
    faults = {
        "absent": (f"{domain} has no SPF record", f'publish one TXT record at {domain}: "{spf_example(senders)}"'),
        "several": (f"{domain} has more than one SPF record, so none counts", "put them into one: one v=spf1, one all"),
        "lookups": (
            f"the SPF record of {domain} takes more than {MOST_LOOKUPS} look-ups, so receivers give up",
            f"take includes out of {at} that no longer send, or write their networks as ip4: and ip6:",
        ),
        "void": (f"the SPF record of {domain} asks for names that are not there", f"take them out of {at}"),
        "include": (f"the SPF record of {domain} is void: {found.detail}", f"take that include out of {at}"),
        "syntax": (f"the SPF record of {domain} cannot be read: {found.detail}", f"mend {at}"),
    }
    if found.fault:
        yield broken("spf", *faults[found.fault])
        return
    if found.rest == "pass":
        text = f"the SPF record of {domain} lets the whole world send (+all)"
        yield broken("spf", text, f"end {at} with ~all or -all")
    for address in senders:
        yield from _allowed(domain, found, address, at)
    if found.rest == "neutral":
        text = f"the SPF record of {domain} does not say what of all others"
        yield look("spf", text, f"end {at} with ~all or -all")
    for remark in found.remarks:
        yield look("spf", remark, f"mend {at}")
    yield ok("spf", f"{domain}: {found.lookups} of {MOST_LOOKUPS} look-ups, all others {found.rest}")


def _allowed(domain: str, found: Spf, address: str, at: str) -> Iterator[Finding]:
    if covers(found, address):
        yield ok("spf", f"{domain} lets {address} send")
    elif found.unclear:
        text = f"whether {domain} lets {address} send shows only for a mail: its record has macros"
        yield note("spf", text, "'nurture doctor --probe ADDRESS' sends one")
    else:
        yield broken("spf", f"{domain} does not let {address} send", f"add {_term(address)} to {at}")


def judge_service(domain: str, found: Spf, server: str, addresses: Sequence[str]) -> Iterator[Finding]:
    """Whether the record knows a mail server that mails go out through. A service sends from many addresses, so this
    can only be seen to be wrong where there is no trace of it."""
    if found.fault or not addresses or found.rest == "pass":
        return
    if any(covers(found, address) for address in addresses):
        yield ok("spf", f"{domain} lets {server} send")
    elif any(word in (found.record or "").lower() for word in ("include:", "redirect=", "exists:")):
        text = f"whether {domain} lets {server} send does not show from here: services send from many addresses"
        yield note("spf", text, "compare the record with what the service asks you to include")
    else:
        text = f"nothing in the SPF record of {domain} speaks of {server}"
        yield look("spf", text, "add the include: that your mail service names")


def covers(found: Spf, address: str) -> bool:
    """Whether the record names a network that this address is in."""
    own = ipaddress.ip_address(address)
    nets = (ipaddress.ip_network(text, strict=False) for text in found.networks)
    return any(own.version == net.version and own in net for net in nets)


def spf_example(senders: Sequence[str]) -> str:
    """A record to start with."""
    terms = " ".join(map(_term, senders)) or "include:WHAT-YOUR-MAIL-SERVICE-NAMES"
    return f"v=spf1 {terms} ~all"


def _term(address: str) -> str:
    return f"ip{ipaddress.ip_address(address).version}:{address}"


# --- DKIM


def judge_dkim(key: SigningKey, found: Sequence[str]) -> Iterator[Finding]:
    """The records at the selector of a key that we sign with."""
    name = f"{key.selector}._domainkey.{key.domain}"
    wanted = f"publish what 'nurture doctor --records' prints, as the only TXT record at {name}"
    if not found:
        yield broken("dkim", f"{name} is not there; what it signs counts for nothing", wanted)
        return
    if len(found) > 1:
        yield broken("dkim", f"{name} has {len(found)} TXT records; receivers take any of them", wanted)
        return
    tags = _bare(found[0])
    fault = _key_fault(tags, written(key.record()))
    if fault:
        yield broken("dkim", f"{name} {fault}", wanted)
        return
    if "y" in tags.get("t", "").split(":"):
        yield look("dkim", f"{name} says t=y: only a test, receivers may take it for unsigned", "take 't=y' out of it")
    yield ok("dkim", f"{name} is the public half of our key ({_size(key)})")


def _bare(record: str) -> dict[str, str]:
    """The tags of a key record; blanks mean nothing in any of them (RFC 6376 §3.6.1)."""
    return {name: "".join(value.split()) for name, value in written(record).items()}


def _key_fault(tags: Mapping[str, str], own: Mapping[str, str]) -> str:
    """What keeps this record from verifying our signatures; empty where nothing does."""
    if tags.get("v", "DKIM1") != "DKIM1":
        return "is no DKIM record"
    public = tags.get("p", "")
    if not public:
        return "is revoked: its p= is empty"
    if tags.get("k", "rsa") != own["k"]:
        return f"is for {tags.get('k', 'rsa')} keys, and ours is {own['k']}"
    if public != own["p"]:
        return "holds another key than the one mails are signed with"
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        return "does not allow sha256"
    if not {"*", "email"} & set(tags.get("s", "*").split(":")):
        return "is not for e-mail"
    return ""


def judge_foreign_key(selector: str, domain: str, found: Sequence[str]) -> Iterator[Finding]:
    """The record of a key that the mail server signs with; its private half is not known here."""
    name = f"{selector}._domainkey.{domain}"
    hint = f"publish at {name} what the service that signs tells you to"
    if len(found) != 1:
        yield broken("dkim", f"{name} has {len(found)} TXT records instead of one", hint)
        return
    tags = _bare(found[0])
    public = tags.get("p", "")
    if not public:
        yield broken("dkim", f"{name} has no key: {'it was revoked' if 'p' in tags else 'p= is missing'}", hint)
        return
    bits = _bits(public) if tags.get("k", "rsa") == "rsa" else None
    if bits == 0:
        yield broken("dkim", f"{name} holds no key that can be read", hint)
    elif bits is not None and bits < LEAST_BITS:
        text = f"the key at {name} has {bits} bits; {LEAST_BITS} is the least"
        yield broken("dkim", text, "have the service that signs make a longer one")
    else:
        yield ok("dkim", f"{name}: {tags.get('k', 'rsa')}{f', {bits} bits' if bits else ''}")


def _bits(public: str) -> int:
    """The length of an RSA key as it stands in DNS; 0 where it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return 0
    return key.key_size if isinstance(key, RSAPublicKey) else 0


def _size(key: SigningKey) -> str:
    bits = getattr(key.key, "key_size", None)
    return f"RSA, {bits} bits" if bits else "Ed25519"


# --- DMARC


def judge_dmarc(domain: str, found: Dmarc) -> Iterator[Finding]:
    """The record that holds for mails from this domain (RFC 9989)."""
    own = f"_dmarc.{domain}"
    faults = {
        "absent": (
            f"{domain} has no DMARC record; Gmail, Yahoo and Microsoft ask for one",
            f'publish a TXT record at {own}: "{dmarc_example(domain)}"',
        ),
        "several": (f"{own} has more than one DMARC record, so none counts", "leave one of them"),
        "misplaced": (f"the DMARC record stands at {domain}, where nobody looks", f"move it to {own}"),
        "syntax": (
            f"the DMARC record cannot be read: {found.detail}",
            f"mend the TXT record at _dmarc.{found.location}",
        ),
    }
    if found.fault or found.tags is None:
        yield broken("dmarc", *faults[found.fault or "absent"])
        return
    yield from _dmarc_tags(domain, found, found.tags)
    yield from _dmarc_reports(found, found.tags)
    policy = policy_of(domain, found)
    text = f"{domain}: p={policy}, from _dmarc.{found.location}"
    if policy == "none":
        hint = "where the reports show none of your own mails failing, p=quarantine or p=reject keeps forgers out"
        yield note("dmarc", f"{text}; that asks for nothing yet", hint)
    else:
        yield ok("dmarc", text)


def dmarc_example(domain: str) -> str:
    """A record to start with: it asks for reports and nothing else."""
    return f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"


def policy_of(domain: str, found: Dmarc) -> str:
    """What receivers are asked to do with a forged mail from this domain."""
    tags = found.tags or {}
    below = "" if found.location == domain else tags.get("sp", "")
    return (below or tags.get("p", "none")).lower()


def _dmarc_tags(domain: str, found: Dmarc, tags: Mapping[str, str]) -> Iterator[Finding]:
    at = f"_dmarc.{found.location}"
    gone = [name for name in _REMOVED if name in tags]
    if gone:
        hint = f"take {' and '.join(gone)} out of the record" + ("; t=y is what pct=0 was" if "pct" in gone else "")
        yield look("dmarc", f"{at} has {', '.join(gone)}, which RFC 9989 removed: receivers pass over it", hint)
    odd = sorted(set(tags) - _KNOWN)
    if odd:
        text = f"{at} has {', '.join(odd)}, which no receiver knows"
        yield look("dmarc", text, "is it misspelt? If not, take it out")
    if "p" not in tags:
        yield look("dmarc", f"{at} has no p=, which older receivers ask for", "write p=none, p=quarantine or p=reject")
    if tags.get("t", "n").lower() == "y":
        text = f"{at} says t=y: receivers do one step less than it asks for"
        yield look("dmarc", text, "take t=y out when the reports look right")
    if tags.get("psd", "u").lower() == "y" and found.location == domain:
        text = f"{at} says psd=y: that makes {domain} a registry like 'co.uk', of which nothing below is a part"
        yield broken("dmarc", text, "take psd=y out of the record, or write psd=n")
    elif tags.get("psd", "u").lower() == "y":
        text = f"{domain} has no DMARC record of its own; only that of the registry {found.location} holds"
        yield look("dmarc", text, f'publish a TXT record at _dmarc.{domain}: "{dmarc_example(domain)}"')


def _dmarc_reports(found: Dmarc, tags: Mapping[str, str]) -> Iterator[Finding]:
    at = f"_dmarc.{found.location}"
    if not tags.get("rua"):
        hint = f"add rua=mailto:dmarc@{found.location}, a mailbox of yours"
        yield look("dmarc", f"{at} names nobody to report to (rua), so failures stay unseen", hint)
    for other in found.unheard:
        hint = f'have {other} publish a TXT record at {found.location}._report._dmarc.{other}: "v=DMARC1"'
        yield look("dmarc", f"{at} sends reports to {other}, which has not agreed to get them", hint)


def judge_alignment(domain: str, found: Dmarc, keys: Sequence[SigningKey], bounce: str) -> Iterator[Finding]:
    """Whether what we sign, and where bounces go, speaks for the From domain (RFC 9989 §4.4)."""
    tags = found.tags or {}
    strict = tags.get("adkim", "r").lower() == "s"
    signing = [key for key in keys if key.aligned(domain)]
    speaking = [key for key in signing if key.domain == domain or not strict]
    if keys and not signing:
        hint = f"add a 'dkim' key for {domain} in config.yaml, or send from another address"
        yield broken("align", f"mails from {domain} are not signed: no 'dkim' key is for it", hint)
    elif keys and not speaking:
        text = f"adkim=s of _dmarc.{found.location} wants d={domain}, and we sign for {signing[0].domain}"
        yield broken("align", text, f"sign with a key for {domain} itself, or write adkim=r")
    elif keys:
        yield ok("align", f"From {domain} is signed by d={speaking[0].domain}")
    if tags.get("aspf", "r").lower() == "s" and bounce != domain:
        text = f"aspf=s of _dmarc.{found.location} wants bounces at {domain}, and they go to {bounce}"
        yield look("align", text, "write aspf=r: for these mails DKIM alone speaks")


# --- MX and PTR


def judge_exchangers(domain: str, what: str, hosts: Sequence[str], lost: Sequence[str], own: bool) -> Finding:
    """Whether mail to this domain arrives. `lost` are hosts without address; `own`: the domain has an address."""
    hint = f"publish an MX record at {domain} that names the server which takes its mail"
    if "" in hosts:
        return broken("mx", f"{domain} takes no mail (null MX), and {what} go there", hint)
    if hosts and len(lost) == len(hosts):
        return broken("mx", f"the MX of {domain} is {hosts[0]}, which has no address; {what} go there", hint)
    if lost:
        return look("mx", f"the MX {lost[0]} of {domain} has no address", f"take it out of the records of {domain}")
    if not hosts and own:
        return look("mx", f"{domain} has no MX; {what} go to its own address", hint)
    if not hosts:
        return broken("mx", f"{domain} has no MX, and {what} go there", hint)
    return ok("mx", f"{domain}: {what} go to {hosts[0]}")


def judge_reverse(address: str, names: Mapping[str, Sequence[str]]) -> Finding:
    """Whether an address has a name that leads back to it. `names` are its PTR names with their addresses."""
    own = ipaddress.ip_address(address)
    for name, leads in names.items():
        if any(ipaddress.ip_address(lead) == own for lead in leads):
            return ok("ptr", f"{address} is {name}, and back")
    hint = f"have the owner of {address} (your hoster) set its PTR to a name of yours, whose A or AAAA is {address}"
    if not names:
        return broken("ptr", f"{address} has no reverse name (PTR)", hint)
    name, leads = next(iter(names.items()))
    return broken(
        "ptr", f"the reverse name of {address} is {name}, which leads to {', '.join(leads) or 'nothing'}", hint
    )

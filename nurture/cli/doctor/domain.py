"""The sender's domain: which names to ask the DNS about, and in which order; `records` judges the answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec

from nurture.cli.doctor import policies, records
from nurture.cli.doctor.finding import Finding, broken, failed, look, note
from nurture.cli.doctor.names import SILENT, Names, Silent
from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.campaign.plan import Plan
    from nurture.delivery.dkim import SigningKey
    from nurture.folder import Folder
    from nurture.settings import Settings

P = ParamSpec("P")
PROBE = "'nurture doctor --probe ADDRESS' sends a mail to look at"


@dataclass(frozen=True)
class Senders:
    """Domains: of the envelope sender, of every From, and of other addresses that are answered to."""

    bounce: str
    froms: tuple[str, ...]
    replies: tuple[str, ...]


def senders_of(settings: Settings, folder: Folder, plans: Iterable[Plan]) -> Senders:
    """Those of config.yaml, of steps with a `sender`, and of templates with a `from`. What only shows for a lead is
    left out."""
    from nurture.campaign.plan import Send
    from nurture.mail.template import TemplateBroken, front_matter

    project = settings.project
    steps = [step for plan in plans for step in plan.steps if isinstance(step, Send)]
    froms = [step.sender or "" for step in steps]
    for path, text in folder.templates.items():
        try:
            froms.append(front_matter(text, path)[0].values.get("from", ""))
        except TemplateBroken:
            continue
    replies = [project.sender.reply_to or "", *(step.reply_to or "" for step in steps)]
    own = _domains([project.sender.email])
    return Senders(own[0], _domains([project.sender.email, *froms]), _domains(replies))


def _domains(addresses: Iterable[str]) -> tuple[str, ...]:
    """Of plain addresses and `Name <address>`, each once, as A-labels."""
    import idna

    found = {}
    for text in addresses:
        domain = text.strip().rstrip(">").rpartition("@")[2].strip().lower() if "@" in text and "{" not in text else ""
        if domain:
            found[domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")] = True
    return tuple(found)


def sender(
    settings: Settings, who: Senders, keys: Sequence[SigningKey], names: Names, leaving: Sequence[str]
) -> Iterator[Finding]:
    """Every record that receivers look at. `leaving` are the addresses mails leave from, as far as they were named."""
    try:
        there = names.exists(who.bounce)
    except Silent as error:
        yield failed("dns", error, SILENT)
        return
    if not there:
        text = f"the sender's domain {who.bounce} does not exist"
        yield broken("dns", text, "set 'sender.email' in config.yaml to an address of a domain of your own")
        return
    yield from _policies(settings, who, keys, names, leaving)
    for key in keys:
        yield from _answered("dkim", _public_key, names, key)
    if not keys:
        yield note("dkim", "config.yaml has no key, so the mail server has to sign", PROBE)
    for domain in dict.fromkeys([who.bounce, *who.froms, *who.replies]):
        yield from _answered("mx", _exchangers, names, domain, "bounces" if domain == who.bounce else "answers")
    yield from _answered("ptr", _reverse, names, settings.smtp.host, leaving or _own_relay(settings, keys, names))


def _policies(
    settings: Settings, who: Senders, keys: Sequence[SigningKey], names: Names, leaving: Sequence[str]
) -> Iterator[Finding]:
    """SPF of the envelope's domain, DMARC and alignment of every From."""
    try:
        policies.ready()
    except UserError as error:
        yield look("spf", error.message, error.hint or policies.EXTRA)
        return
    yield from _answered("spf", _spf, names, who.bounce, settings.smtp.host, leaving)
    for domain in who.froms:
        yield from _answered("dmarc", _dmarc, names, domain, keys, who.bounce)


def _spf(names: Names, domain: str, server: str, leaving: Sequence[str]) -> Iterator[Finding]:
    found = policies.spf(names, domain)
    yield from records.judge_spf(domain, found, leaving)
    if not leaving:
        yield from records.judge_service(domain, found, server, _public(names, server))


def _dmarc(names: Names, domain: str, keys: Sequence[SigningKey], bounce: str) -> Iterator[Finding]:
    found = policies.dmarc(names, domain)
    yield from records.judge_dmarc(domain, found)
    yield from records.judge_alignment(domain, found, keys, bounce)


def _public_key(names: Names, key: SigningKey) -> Iterator[Finding]:
    return records.judge_dkim(key, names.txt(f"{key.selector}._domainkey.{key.domain}"))


def _exchangers(names: Names, domain: str, what: str) -> Iterator[Finding]:
    hosts = names.exchangers(domain)
    lost = [host for host in hosts if host and not names.addresses(host)]
    yield records.judge_exchangers(domain, what, hosts, lost, bool(names.addresses(domain)))


def _reverse(names: Names, server: str, leaving: Sequence[str]) -> Iterator[Finding]:
    for address in leaving:
        yield records.judge_reverse(address, {name: names.addresses(name) for name in names.reverse(address)})
    if not leaving:
        text = f"mails leave through {server}; which addresses it sends from does not show from here"
        hint = "their reverse names are its owner's care; if that is you, name them: --sends-from ADDRESS"
        yield note("ptr", text, hint)


def _own_relay(settings: Settings, keys: Sequence[SigningKey], names: Names) -> list[str]:
    """The mail server's public addresses, where it is ours: it takes mails without sign-in and leaves signing to us. A
    service's server that we sign in to hands them on to others of its own, so its address says nothing."""
    if settings.smtp.username or not keys:
        return []
    return _public(names, settings.smtp.host)


def _public(names: Names, host: str) -> list[str]:
    """Its addresses that the world can see. Whether it can be reached from here is told elsewhere."""
    try:
        return [address for address in names.addresses(host) if ipaddress.ip_address(address).is_global]
    except Silent:
        return []


def _answered(topic: str, judged: Callable[P, Iterable[Finding]], *args: P.args, **more: P.kwargs) -> Iterator[Finding]:
    """The findings, or that DNS was silent over them."""
    try:
        yield from judged(*args, **more)
    except Silent as error:
        yield failed(topic, error, SILENT)

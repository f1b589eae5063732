"""DNS: asks the nameserver of this machine, or those that were named. The judging of answers is elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nurture.errors import UserError

if TYPE_CHECKING:
    from dns.resolver import Resolver

SILENT = "is this machine online? '--nameserver ADDRESS' asks another, '--offline' asks nobody"
_PATIENCE = 6.0  # seconds for one question; the packet is repeated meanwhile


class Silent(UserError):
    """DNS gave no answer, neither yes nor no."""


class Names:
    """Questions to the DNS. Every method raises Silent where there is no answer."""

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        """`nameservers` are `ADDRESS` or `ADDRESS:PORT`; none stands for those of this machine. Raises UserError."""
        self.resolver = _resolver(nameservers)

    def exists(self, domain: str) -> bool:
        """Whether there is such a name, with records or without."""
        from dns.resolver import NXDOMAIN

        try:
            self._ask(domain, "SOA")
        except NXDOMAIN:
            return False
        return True

    def txt(self, name: str) -> list[str]:
        """The texts at this name, the strings of each put together."""
        return [b"".join(r.strings).decode("utf-8", "replace") for r in self._found(name, "TXT")]

    def addresses(self, host: str) -> list[str]:
        """IPv4 first. An address stands for itself."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return [str(r.address) for kind in ("A", "AAAA") for r in self._found(host, kind)]

    def exchangers(self, domain: str) -> list[str]:
        """Hosts of the MX records, the preferred first; `""` is the null MX of RFC 7505."""
        records = sorted(self._found(domain, "MX"), key=lambda r: r.preference)
        return [_plain(r.exchange) for r in records]

    def reverse(self, address: str) -> list[str]:
        """The names this address is said to have."""
        from dns.reversename import from_address

        return [_plain(r.target) for r in self._found(str(from_address(address)), "PTR")]

    def _found(self, name: str, kind: str) -> list[Any]:
        from dns.resolver import NXDOMAIN

        try:
            return self._ask(name, kind)
        except NXDOMAIN:
            return []

    def _ask(self, name: str, kind: str) -> list[Any]:
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN

        try:
            return list(self.resolver.resolve(name, kind, raise_on_no_answer=False, search=False))
        except NXDOMAIN:
            raise
        except DNSException as error:
            raise silent(name, error) from error


def silent(name: str, error: Exception) -> Silent:
    """What to say where a question about this name had no answer."""
    from dns.resolver import NoNameservers

    if isinstance(error, NoNameservers):
        text = f"the nameserver cannot answer for {name}"
        return Silent(text, hint="it may be down or its DNSSEC broken; '--nameserver 9.9.9.9' asks another")
    return Silent(f"no answer from DNS about {name}", hint=SILENT)


def _resolver(nameservers: Sequence[str]) -> Resolver:
    from dns.nameserver import Do53Nameserver
    from dns.resolver import LRUCache, NoResolverConfiguration, Resolver

    try:
        resolver = Resolver(configure=not nameservers)
    except NoResolverConfiguration as error:
        hint = "name one: --nameserver 9.9.9.9"
        raise Silent("this machine has no nameserver", hint=hint) from error
    if nameservers:
        resolver.nameservers = [Do53Nameserver(*_place(text)) for text in nameservers]
    resolver.timeout, resolver.lifetime = _PATIENCE / 3, _PATIENCE
    resolver.cache = LRUCache()
    return resolver


def _place(text: str) -> tuple[str, int]:
    address, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        address, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "53")
    try:
        if not 0 < int(port) < 65536:
            raise ValueError
        return str(ipaddress.ip_address(address.strip("[]"))), int(port)
    except ValueError:
        hint = "write '9.9.9.9', '127.0.0.1:5353' or '[2620:fe::fe]:53'"
        raise UserError(f"'{text}' is not the address of a nameserver", hint=hint) from None


def _plain(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower() if len(name.labels) > 1 else ""

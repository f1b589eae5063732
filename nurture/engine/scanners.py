"""Networks of mail gateways that follow links before people do (trust C21): ours, and those a project adds."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from importlib.resources import files

from nurture.errors import UserError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Scanners:
    """Networks with their owners; a project's own come first."""

    networks: tuple[tuple[Network, str], ...] = ()

    def whose(self, address: str | None) -> str | None:
        """Who scans mail from this address; None for everybody else's."""
        try:
            own = ipaddress.ip_address(address or "")
        except ValueError:
            return None
        own = getattr(own, "ipv4_mapped", None) or own
        return next((name for net, name in self.networks if net.version == own.version and own in net), None)


def known_scanners(own: str = "") -> Scanners:
    """Ours and those of a project's scanners.txt, `own`. Raises UserError naming a line that is no network."""
    ours = (files("nurture.engine") / "scanners.txt").read_text("utf-8")
    return Scanners((*_read(own), *_read(ours)))


def _read(text: str) -> list[tuple[Network, str]]:
    found: list[tuple[Network, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        network, _, name = line.partition("#")[0].strip().partition(" ")
        if not network:
            continue
        try:
            found.append((ipaddress.ip_network(network), name.strip() or network))
        except ValueError as error:
            hint = "write a network and whose it is, such as '192.0.2.0/24 our own gateway'"
            raise UserError(f"scanners.txt:{number}: '{network}' is not a network", hint=hint) from error
    return found

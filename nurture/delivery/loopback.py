"""Which hosts are this machine itself: what goes there crosses no network."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """Whether this names the machine itself (RFC 6761 §6.3 for `localhost`)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

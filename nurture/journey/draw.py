"""Draws that never change: which arm of a split, which template of several."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b


def point(*parts: str) -> float:
    """A number in [0, 100) that hangs on the parts alone; 64 bits of BLAKE2b, so that shares hold to the last lead."""
    digest = blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100


def draw(shares: Sequence[tuple[str, float]], at: float) -> str:
    """The name whose share `at` falls into, in the order written; the last takes what rounding leaves."""
    passed = 0.0
    for name, share in shares:
        passed += share
        if at < passed:
            return name
    return shares[-1][0]

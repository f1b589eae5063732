"""A file beside the database that remembers who said no and who was erased, so that a restored backup does not forget
it (trust C25). It holds keyed hashes, scopes, reasons and instants, never an address.

A line is written before its transaction commits: after a crash the file knows rather too much than too little. Lines
are only appended; what holds is the last line of each (address, scope), but a reason that lasts (a complaint, a bounce)
is weakened by no later one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nurture.errors import StoreUnavailable
from nurture.lead.permission import lasts

_ENCODER = msgspec.json.Encoder()


def suppression_journal(root: Path) -> SuppressionJournal:
    """The journal of the project in this folder."""
    return SuppressionJournal(root / ".nurture" / "suppressions.journal")


class Suppressed(msgspec.Struct, frozen=True, tag="no", array_like=True):
    address_hash: str
    scope: str
    reason: str
    at: str


class Lifted(msgspec.Struct, frozen=True, tag="yes", array_like=True):
    address_hash: str
    scope: str


class Erasure(msgspec.Struct, frozen=True, tag="erased", array_like=True):
    """`created_at` tells the lead from another that got the same number after a restore."""

    lead: int
    address_hash: str | None
    created_at: str
    at: str


Line = Suppressed | Lifted | Erasure
_DECODER = msgspec.json.Decoder(Line)


@dataclass
class Known:
    """What a journal comes to."""

    suppressed: dict[tuple[str, str], Suppressed] = field(default_factory=dict)
    erased: list[Erasure] = field(default_factory=list)
    unreadable: int = 0  # lines; a crash may leave half of the last one


class SuppressionJournal:
    """One file, appended to by every process of this machine that changes suppressions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def append(self, lines: Iterable[Line]) -> None:
        """Have these lines on the disk, and the file there, also for none. Raises StoreUnavailable where it cannot be
        written."""
        text = b"".join(_ENCODER.encode(line) + b"\n" for line in lines)
        try:
            with self._lock:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(number, text)
                    os.fsync(number)
                finally:
                    os.close(number)
        except OSError as error:
            raise StoreUnavailable(
                f"the suppression journal cannot be written: {error.strerror}",
                hint=f"it keeps a restored backup from writing to people who left; make {self.path} writable",
            ) from error

    def read(self) -> Known:
        """All that the file says; nothing where there is none."""
        known = Known()
        try:
            lines: Sequence[bytes] = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return known
        except OSError as error:
            raise StoreUnavailable(
                f"the suppression journal cannot be read: {error.strerror}", hint=f"make {self.path} readable"
            ) from error
        for text in lines:
            try:
                line = _DECODER.decode(text)
            except msgspec.MsgspecError:
                known.unreadable += 1
                continue
            match line:
                case Suppressed():
                    before = known.suppressed.get((line.address_hash, line.scope))
                    if before is None or lasts(line.reason) or not lasts(before.reason):
                        known.suppressed[line.address_hash, line.scope] = line
                case Lifted():
                    known.suppressed.pop((line.address_hash, line.scope), None)
                case Erasure():
                    known.erased.append(line)
        return known

"""The wire journal: which mails were behind their last dot when a worker died.

Rows say `sending` for a whole chunk that passed the gate; the journal says how far each of them came. One record is
appended just before the last dot of a mail is handed to the socket, one when its answer is there. A record is in the
kernel's hands when the call returns, so it outlives a killed process; it need not outlive the machine: the journal
names the boot it was written in, and after another one it proves nothing.

After a kill, of the `sending` messages of that worker: dotted without answer → unknown (at most one a connection) ·
answered → what the answer was · the rest was never begun → pending.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_RECORD = struct.Struct("<cqq")  # what, message, fence
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_COMPACT_AT = 4 * 1024 * 1024  # bytes

Fate = Literal["dotted", "sent", "ended"]
_FATES: dict[bytes, Fate] = {b"D": "dotted", b"S": "sent", b"E": "ended"}


@dataclass(frozen=True)
class Found:
    """What a dead worker's journal says, by (message, fence)."""

    worker: str
    fates: dict[tuple[int, int], Fate]
    path: Path = field(repr=False)


class Journal:
    """One worker's journal, locked for as long as it lives."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{worker}.wire"
        self._head = f"{worker}\n{_boot()}\n".encode()
        self._open: dict[tuple[int, int], bytes] = {}
        self._file, self._size = -1, 0
        self._begin()

    def dotted(self, message: int, fence: int) -> None:
        """The last dot of this mail is about to be written."""
        self._append(b"D", message, fence)

    def answered(self, message: int, fence: int, *, sent: bool) -> None:
        """The dialogue about this mail has ended: taken, or certainly not."""
        self._append(b"S" if sent else b"E", message, fence)

    def settled(self, claims: Iterable[tuple[int, int]]) -> None:
        """These are written in the database; what the journal says of them is needed no more."""
        for claim in claims:
            self._open.pop(claim, None)
        if not self._open or self._size > _COMPACT_AT:
            self._begin()

    def close(self) -> None:
        """Nothing is under way: the journal is taken away."""
        if not self._open:
            self.path.unlink(missing_ok=True)
        os.close(self._file)

    def _append(self, what: bytes, message: int, fence: int) -> None:
        record = _RECORD.pack(what, message, fence)
        os.write(self._file, record)
        self._open[message, fence] = record
        self._size += len(record)

    def _begin(self) -> None:
        """Begin again with what is open. The new content is written and locked first, then takes the old one's name: a
        kill in between loses nothing, and no reader meets a journal of a living worker that is not locked."""
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = self._head + b"".join(self._open.values())
        os.write(descriptor, content)
        os.rename(fresh, self.path)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = descriptor, len(content)


def orphans(folder: Path) -> Iterator[Found]:
    """Journals of workers that live no more (nobody holds their lock), of this boot, each held until the next is asked
    for: of two workers that look at once, one takes it over. The caller takes each away with `forget` once its
    messages are settled."""
    for path in sorted(folder.glob("*.wire")) if folder.is_dir() else []:
        with _held(path) as file:
            found = None if file is None else _read(file, path)
            if found is not None:
                yield found


@contextmanager
def _held(path: Path) -> Iterator[int | None]:
    """The journal, locked; None where a living worker holds it, or has begun it anew since it was opened here: the
    lock that could be had then is that of the file before."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file if _lock(file, path) else None
    finally:
        os.close(file)


def _lock(file: int, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(file).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def _read(file: int, path: Path) -> Found | None:
    """What it says; None, and it is taken away, where the machine has been started since."""
    data = os.pread(file, os.fstat(file).st_size, 0)
    worker, _, rest = data.partition(b"\n")
    boot, _, records = rest.partition(b"\n")
    if boot.decode(errors="replace") != _boot():
        path.unlink(missing_ok=True)
        return None
    whole = len(records) - len(records) % _RECORD.size
    fates = {
        (message, fence): _FATES[what]
        for what, message, fence in _RECORD.iter_unpack(records[:whole])
        if what in _FATES
    }
    return Found(worker.decode(errors="replace"), fates, path)


def forget(found: Found) -> None:
    """Its messages are settled."""
    found.path.unlink(missing_ok=True)
    found.path.with_suffix(".new").unlink(missing_ok=True)  # it died while it began anew


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"

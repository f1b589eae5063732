"""Events of a file of any size in the order of their instants, equal ones in the file's order (merge sort on disk)."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import IO

import msgspec

from nurture.engine.drafts import EventDraft

RUN = 100_000  # drafts held in memory at a time, some 100 MB


class Spooled(msgspec.Struct, frozen=True, array_like=True):
    """A draft with its place: when, then which line. `message_id` is its own id, or the one made for it."""

    at: datetime
    line: int
    message_id: str
    draft: EventDraft

    @property
    def place(self) -> tuple[datetime, int]:
        return self.at, self.line


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Spooled)


class Spool:
    """Takes drafts in any order, gives them back once in order. Its files have no name and go with it."""

    def __init__(self, files: ExitStack, run: int = RUN) -> None:
        self._files = files
        self._run = run
        self._held: list[Spooled] = []
        self._runs: list[IO[bytes]] = []

    def put(self, spooled: Spooled) -> None:
        self._held.append(spooled)
        if len(self._held) >= self._run:
            self._write()

    def _write(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 — the stack closes it
        self._files.callback(file.close)
        for spooled in sorted(self._held, key=lambda s: s.place):
            data = _ENCODER.encode(spooled)
            file.write(len(data).to_bytes(4, "big") + data)
        self._runs.append(file)
        self._held = []

    def ordered(self) -> Iterator[Spooled]:
        held = sorted(self._held, key=lambda s: s.place)
        runs: list[Iterable[Spooled]] = [*map(_read, self._runs), held]
        return heapq.merge(*runs, key=lambda s: s.place)


def _read(file: IO[bytes]) -> Iterator[Spooled]:
    file.seek(0)
    while size := file.read(4):
        yield _DECODER.decode(file.read(int.from_bytes(size, "big")))

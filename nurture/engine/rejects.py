"""The rows an import could not use: line and reason, in a CSV beside the file. It repeats nothing of the rows, so that
no second copy of people's data lies about."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from nurture.engine.cells import plain_cell
from nurture.errors import UserError


class Rejects:
    """Opens its file at the first reject. One of an earlier run of the same import is replaced, or taken away."""

    def __init__(self, source: Path, *, keep: bool = True) -> None:
        self.path = source.with_name(source.name + ".rejects.csv")
        self.count = 0
        self.noted = 0
        self._keep = keep
        self._file: TextIO | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        if self._keep:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def written(self) -> Path | None:
        """Where the rejects lie; None where there is no such file."""
        return self.path if self._file is not None else None

    def add(self, line: int, reason: str) -> None:
        """A row that is left out."""
        self.count += 1
        self._write(line, reason)

    def note(self, line: int, reason: str) -> None:
        """A row that was taken, but not all of it."""
        self.noted += 1
        self._write(line, reason)

    def _write(self, line: int, reason: str) -> None:
        if not self._keep:
            return
        if self._file is None:
            self._open()
        self._writer.writerow([line, plain_cell(reason)])

    def _open(self) -> None:
        """Beside the file, or in the current folder where that may not be written."""
        for path in (self.path, Path(self.path.name)):
            try:
                path.touch(mode=0o600)  # what was refused may be a person's (trust X22)
                self._file = path.open("w", encoding="utf-8", newline="")
            except OSError:
                continue
            self.path = path
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow(["line", "reason"])
            return
        raise UserError(
            f"cannot write {self.path.name}, which names the rows that were refused",
            hint="make the folder of the file, or the current one, writable",
        )

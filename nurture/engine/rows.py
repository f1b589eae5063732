"""Somebody's table, row by row: CSV (comma, semicolon or tab) or JSON lines, plain or gzip.

Nothing is repaired. A record with another number of fields than the header, with a NUL or with bytes that are not
UTF-8 is refused with its line and the reason, and the reading goes on. Memory is bounded by the longest line (trust
X15).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import msgspec

from nurture.errors import UserError

MAX_LINE = 1_048_576  # characters
MAX_COLUMNS = 1_000
_GZIP = b"\x1f\x8b"
_OTHER_TEXT = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK": "a spreadsheet or archive"}


class Record(msgspec.Struct, frozen=True):
    """`line` is where the record begins, the file's first being 1. Either `row` or `refused` is there."""

    line: int
    row: dict[str, Any] | None = None
    refused: str | None = None


class Table:
    """An open file. `header` is None for JSON lines; `records()` may be walked once."""

    def __init__(self, path: Path, raw: BinaryIO, text: TextIO) -> None:
        self.path = path
        self.size = path.stat().st_size  # bytes, packed as it lies there
        self._raw = raw
        self._lines = _lines(text, path)
        self.header: tuple[str, ...] | None = None
        if not is_json(path):
            self._reader, self.header = self._open_csv()

    def read_bytes(self) -> int:
        """How far the reading has come, of `size`."""
        return min(self.size, self._raw.tell())

    def records(self) -> Iterator[Record]:
        return self._json() if self.header is None else self._csv(self.header)

    def _open_csv(self) -> tuple[Any, tuple[str, ...]]:
        first = next(self._lines, "")
        if not first.strip():
            raise UserError(f"{self.path} has no header line", hint="the first line names the columns")

        def again() -> Iterator[str]:
            yield first
            yield from self._lines

        reader = csv.reader(again(), delimiter=delimiter_of(first), strict=True)
        try:
            names = tuple(name.strip() for name in next(reader))
        except csv.Error as error:
            raise UserError(f"the header of {self.path} cannot be read: {error}") from error
        if len(names) > MAX_COLUMNS:
            raise UserError(f"{self.path} has {len(names)} columns; {MAX_COLUMNS} is the most")
        twice = sorted({n for n in names if n and names.count(n) > 1})
        if twice:
            raise UserError(f"{self.path} names the column '{twice[0]}' twice", hint="give each column its own name")
        return reader, names

    def _csv(self, header: tuple[str, ...]) -> Iterator[Record]:
        while True:
            line = self._reader.line_num + 1
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(line, refused=f"it cannot be read: {error}")
                continue
            if not fields:
                continue  # an empty line is no record
            if len(fields) != len(header):
                yield Record(line, refused=f"it has {len(fields)} fields, the header has {len(header)}")
                continue
            refused = next((why for why in map(_unfit, fields) if why), None)
            yield Record(line, refused=refused) if refused else Record(line, dict(zip(header, fields, strict=True)))

    def _json(self) -> Iterator[Record]:
        decoder = msgspec.json.Decoder()
        for line, text in enumerate(self._lines, 1):
            if not text.strip():
                continue
            refused = _unfit(text)
            if refused:
                yield Record(line, refused=refused)
                continue
            try:
                row = decoder.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                yield Record(line, refused=f"it is not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield Record(line, row)
            else:
                yield Record(line, refused="it is not a JSON object")


def is_json(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".jsonl", ".ndjson"))


def delimiter_of(header: str) -> str:
    """The one of comma, semicolon and tab that stands most often outside quotes; a comma where none does."""
    bare = "".join(part for i, part in enumerate(header.split('"')) if i % 2 == 0)
    return max(",;\t", key=bare.count)


def fingerprint(path: Path, *more: str) -> str:
    """SHA-256 over the file's bytes and the texts given with it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """The table in that file. Raises UserError where there is none or it is something else."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    with raw:
        start = raw.read(2)
        raw.seek(0)
        if start in _OTHER_TEXT:
            raise UserError(f"{path} is {_OTHER_TEXT[start]}", hint="save it as CSV in UTF-8")
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if start == _GZIP else raw
        # surrogateescape: a bad byte shall cost its own record, not the file.
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield Table(path, raw, text)
        except (gzip.BadGzipFile, EOFError) as error:
            raise UserError(f"{path} is not a whole gzip file: {error}") from error


def _lines(text: TextIO, path: Path) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith("\n"):
            raise UserError(f"line {number} of {path} is longer than {MAX_LINE} characters; is this a table?")
        yield line


def _unfit(text: str) -> str | None:
    if "\0" in text:
        return "it holds a NUL character"
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        return "it is not UTF-8 text"
    return None

"""Ways out that do not leave the machine: a folder of files, a console."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from nurture.delivery.transport import Dropped, Mail, Reply, Result, Returned, Sent, Wire, Withdrawn

CHUNK = 50  # mails behind one question of the gate; written in a few milliseconds
SHOWN_LINES = 8  # of the text part, on the console


class _LocalTransport(ABC):
    """Gates a chunk, hands it over mail by mail, and honours `aclose` between chunks."""

    def __init__(self) -> None:
        self._closing = False

    async def send(self, batch: Sequence[Mail], wire: Wire, *, connections: int | None = None) -> None:
        """See `Transport.send`."""
        done = 0
        try:
            for start in range(0, len(batch), CHUNK):
                if self._closing:
                    break
                mails = batch[start : start + CHUNK]
                allowed = frozenset(await wire.gate(mails))
                for mail in mails:
                    result = self._hand_over(mail, wire) if mail.id in allowed else Withdrawn(mail.id)
                    done += 1
                    wire.on_result(result)
                await asyncio.sleep(0)
        finally:
            for mail in batch[done:]:
                wire.on_result(Returned(mail.id))

    async def aclose(self) -> None:
        self._closing = True

    @abstractmethod
    def _hand_over(self, mail: Mail, wire: Wire) -> Result: ...


class FolderTransport(_LocalTransport):
    """One `<id>.eml` per mail, whole or not there. The same mail sent again replaces its file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _hand_over(self, mail: Mail, wire: Wire) -> Result:
        target = self._folder / f"{mail.id}.eml"
        draft = target.with_name(f".{mail.id}.part")
        try:
            draft.touch(mode=0o600)  # for its owner alone (trust X22)
            draft.write_bytes(mail.data)
        except OSError as error:
            return Dropped(mail.id, Reply("data", None, None, f"the file cannot be written: {error.strerror}"), False)
        wire.on_dot(mail, 0)
        try:
            os.replace(draft, target)
        except OSError as error:
            return Dropped(mail.id, Reply("data", None, None, f"the file cannot be named: {error.strerror}"), False)
        return Sent(mail.id, Reply("dot", 250, "2.0.0", f"written to {target.name}"), 0.0)


class ConsoleTransport(_LocalTransport):
    """Shows who would get what, with the beginning of the text part."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def _hand_over(self, mail: Mail, wire: Wire) -> Result:
        text = summary(mail)
        wire.on_dot(mail, 0)
        self._stream.write(text)
        self._stream.flush()
        return Sent(mail.id, Reply("dot", 250, "2.0.0", "shown on the console"), 0.0)


def summary(mail: Mail) -> str:
    """A mail for a person's eyes, without anything a terminal would obey."""
    message = email.message_from_bytes(mail.data, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    lines = str(body.get_content()).strip().splitlines() if body is not None else []
    shown = [*lines[:SHOWN_LINES], *(["…"] if len(lines) > SHOWN_LINES else [])]
    head = [f"{name}: {message[name]}" for name in ("From", "Subject") if message[name] is not None]
    title = f"── mail {mail.id} to {mail.recipient} ({len(mail.data) / 1000:.1f} kB)"
    return "\n".join(_printable(line) for line in [title, *head, "", *(f"  {line}" for line in shown)]) + "\n\n"


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in line.replace("\t", "    "))

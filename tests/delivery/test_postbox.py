"""The demo's mail server, spoken to byte by byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from nurture.demo.postbox import Postbox

Taken = tuple[str, tuple[str, ...], bytes]
ENVELOPE = b"EHLO me\r\nMAIL FROM:<b@x.example> SIZE=9\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n"


@dataclass
class Here:
    port: int
    taken: list[Taken] = field(default_factory=list)

    async def say(self, *parts: bytes) -> bytes:
        """Send these with a pause between them; everything that was answered until the server hung up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = Here(free.getsockname()[1])
    postbox = Postbox(lambda *mail: found.taken.append(mail))
    await postbox.start(found.port)
    yield found
    await postbox.stop()


async def test_a_pipelined_mail_is_taken_without_its_doubled_dots(here: Here) -> None:
    await here.say(ENVELOPE + b"Subject: a\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert here.taken == [("b@x.example", ("anna@example.com",), b"Subject: a\r\n\r\n.dot\r\n")]


async def test_an_end_cut_in_two_is_still_an_end(here: Here) -> None:
    await here.say(ENVELOPE + b"a\r\n.", b"\r\nQUIT\r\n")
    assert [mail[2] for mail in here.taken] == [b"a\r\n"]


async def test_an_empty_mail_ends(here: Here) -> None:
    await here.say(ENVELOPE + b".\r\nQUIT\r\n")
    assert [mail[2] for mail in here.taken] == [b""]


async def test_a_mail_broken_off_is_not_taken(here: Here) -> None:
    await here.say(ENVELOPE + b"Subject: a\r\n\r\nhal")
    assert here.taken == []


async def test_two_mails_go_over_one_connection(here: Here) -> None:
    mail = ENVELOPE.partition(b"\r\n")[2] + b"a\r\n.\r\n"
    await here.say(b"EHLO me\r\n", mail, mail, b"QUIT\r\n")
    assert len(here.taken) == 2


async def test_content_before_a_recipient_is_refused(here: Here) -> None:
    answer = await here.say(b"EHLO me\r\nMAIL FROM:<b@x.example>\r\nDATA\r\nQUIT\r\n")
    assert b"\r\n503 " in answer

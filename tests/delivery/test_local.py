"""The folder and the console."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from nurture.delivery.local import ConsoleTransport, FolderTransport, summary
from nurture.delivery.transport import Returned, Sent, Withdrawn
from tests.delivery.conftest import CONTENT, a_mail, mails
from tests.delivery.recording import RecordingWire


async def test_a_mail_becomes_a_file_with_its_id_and_its_bytes(tmp_path: Path) -> None:
    wire = RecordingWire()
    await FolderTransport(tmp_path / "outbox").send(mails(120), wire)
    assert wire.kinds() == {Sent: 120}
    assert (tmp_path / "outbox" / "7.eml").read_bytes() == CONTENT
    assert len(os.listdir(tmp_path / "outbox")) == 120


async def test_a_withdrawn_mail_is_not_written(tmp_path: Path) -> None:
    wire = RecordingWire(withdraw={2})
    await FolderTransport(tmp_path).send(mails(3), wire)
    assert wire.kinds() == {Sent: 2, Withdrawn: 1}
    assert sorted(os.listdir(tmp_path)) == ["1.eml", "3.eml"]


async def test_a_file_that_cannot_be_written_leaves_the_mail_unsent(tmp_path: Path) -> None:
    wire = RecordingWire()
    transport = FolderTransport(tmp_path)
    (tmp_path / ".1.part").mkdir()
    await transport.send([a_mail(1)], wire)
    assert not wire.dropped(1).dot_written


async def test_a_gate_that_fails_returns_the_rest_of_a_local_batch(tmp_path: Path) -> None:
    async def fail() -> None:
        raise OSError("gone")

    wire = RecordingWire(before_answer=fail)
    with pytest.raises(OSError, match="gone"):
        await FolderTransport(tmp_path).send(mails(3), wire)
    assert wire.kinds() == {Returned: 3}


async def test_a_closed_local_transport_returns_what_it_is_given(tmp_path: Path) -> None:
    wire = RecordingWire()
    transport = FolderTransport(tmp_path)
    await transport.aclose()
    await transport.send(mails(2), wire)
    assert wire.kinds() == {Returned: 2}


async def test_the_console_shows_recipient_subject_and_text() -> None:
    wire, stream = RecordingWire(), io.StringIO()
    data = (
        b"From: =?utf-8?q?Caf=C3=A9?= <shop@example.com>\r\nSubject: =?utf-8?q?D=C3=A9j=C3=A0?=\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n\r\nGood day.\r\n"
    )
    await ConsoleTransport(stream).send([a_mail(4, data=data)], wire)
    assert wire.kinds() == {Sent: 1}
    shown = stream.getvalue()
    assert "mail 4 to lead4@example.net" in shown
    assert "Subject: Déjà" in shown
    assert "  Good day." in shown


def test_x04_the_console_obeys_no_escape_sequence_of_a_mail() -> None:
    data = b"Subject: =?utf-8?q?=1B]0;owned=07?=\r\n\r\n\x1b[2J gone\r\n"
    assert "\x1b" not in summary(a_mail(1, data=data))

"""Returned mail in a mailbox at a server, read by IMAP from a real Dovecot (E25)."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nurture.app import App, open_app
from nurture.delivery.imap import Imap
from nurture.errors import UserError
from nurture.lead.permission import ALL
from nurture.worker import Worker
from tests.e2e.test_returned_mail import deliver, parsed, scopes
from tests.faults import project as killed
from tests.heard import hear
from tests.peers.dovecot import PASSWORD, USER, Dovecot
from tests.unit.mail.returned import postfix

pytestmark = pytest.mark.peers

MORE = """
transport: folder
returns:
  imap: {{host: localhost, port: {port}, username: returns, password: "${{RETURNS}}", ca_file: ca.pem}}
"""


@pytest.fixture(scope="module")
def dovecot(certificate: tuple[Path, Path], dovecot_is_here: None) -> Iterator[Dovecot]:
    with Dovecot(*certificate) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(dovecot: Dovecot) -> None:
    for folder in ("new", "cur"):
        for file in (dovecot.home / "mail" / USER / "Maildir").glob(f"{folder}/*"):
            file.unlink()


@pytest.fixture
def project(tmp_path: Path, dovecot: Dovecot, certificate: tuple[Path, Path]) -> Iterator[killed.Project]:
    made = killed.make(tmp_path, "sqlite:///nurture.db", 9, 1)
    made.app.database.close()
    (tmp_path / "ca.pem").write_bytes(certificate[0].read_bytes())
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text() + MORE.format(port=dovecot.imaps))
    made.app = open_app(tmp_path, {**os.environ, "RETURNS": PASSWORD})
    yield made
    made.app.database.close()


@dataclass
class Mailed:
    """The project's one mail has left; what comes back is put into the mailbox by LMTP."""

    project: killed.Project
    dovecot: Dovecot
    mark: str

    @property
    def app(self) -> App:
        return self.project.app

    def comes_back(self, data: bytes, sender: str = "") -> None:
        mark = self.mark.encode()
        data = data.replace(b"b+1a.mac", b"b+" + mark).replace(b"1a.mac", mark)
        with smtplib.LMTP("127.0.0.1", self.dovecot.lmtp) as lmtp:
            lmtp.sendmail(sender, [f"{USER}@dovecot.test"], data)

    def left(self) -> list[tuple[str, str]]:
        """(folder, flags) of each mail that is still in the mailbox."""
        box = self.dovecot.home / "mail" / USER / "Maildir"
        return sorted((f.parent.name, f.name.partition(":2,")[2]) for d in ("new", "cur") for f in (box / d).iterdir())


@pytest.fixture
async def mailed(project: killed.Project, dovecot: Dovecot) -> Mailed:
    mail = parsed(await deliver(project.app))
    return Mailed(project, dovecot, mail["Message-ID"].strip("<>").partition("@")[0])


BOUNCE = postfix("failed", "5.1.1", "smtp; 550 5.1.1 User unknown", "lead0@mail0.example")
ANSWER = b"From: lead0@mail0.example\r\nTo: b@shop.example\r\nIn-Reply-To: <1a.mac@shop.example>\r\n\r\nYes please!\r\n"
FORGED = BOUNCE.replace(b"1a.mac", b"1a.nothing")


async def test_e25_a_worker_reads_the_mailbox_and_deletes_what_is_done(mailed: Mailed) -> None:
    mailed.comes_back(BOUNCE)
    await Worker(mailed.app)._read_returns()
    assert scopes(mailed.project) == {ALL: "bounce: 5.1.1"}
    assert mailed.left() == []


async def test_e25_an_answer_and_a_forgery_stay_and_are_marked_as_seen(mailed: Mailed) -> None:
    mailed.comes_back(ANSWER, "lead0@mail0.example")
    mailed.comes_back(FORGED)
    assert mailed.app.read_returns() == {"replied": 1, "forged": 1}
    assert mailed.left() == [("cur", "S"), ("cur", "S")]
    assert mailed.app.read_returns() == {}


async def test_e25_what_a_person_marked_for_deletion_is_not_deleted_with_ours(mailed: Mailed) -> None:
    mailed.comes_back(ANSWER, "lead0@mail0.example")
    mailed.app.read_returns()
    box = mailed.dovecot.home / "mail" / USER / "Maildir" / "cur"
    [kept] = box.iterdir()
    kept.rename(kept.with_name(kept.name + "T"))
    mailed.comes_back(BOUNCE)
    assert mailed.app.read_returns() == {"bounced": 1}
    assert mailed.left() == [("cur", "ST")]


READING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from nurture.app import open_app
app = open_app(Path(sys.argv[1]))
live, returns = app.live(), app.returns()
end = lambda point: os.kill(os.getpid(), signal.SIGKILL) if point == sys.argv[2] else None
replace(returns, crash=end).read(live, app.clock.now())
"""


def reading(root: Path, point: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", READING, str(root), point]
    ran = subprocess.run(command, env={**os.environ, "RETURNS": PASSWORD}, capture_output=True, check=False)
    hear(ran.stderr)
    return ran


@pytest.mark.parametrize(("point", "again"), [("taken", "bounced"), ("committed", "repeated")])
async def test_e25_a_reader_killed_with_sigkill_leaves_the_report_and_it_counts_once(
    mailed: Mailed, point: str, again: str
) -> None:
    mailed.comes_back(BOUNCE)
    ran = await asyncio.to_thread(reading, mailed.project.root, point)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert scopes(mailed.project) == ({ALL: "bounce: 5.1.1"} if again == "repeated" else {})
    assert len(mailed.left()) == 1
    assert mailed.app.read_returns() == {again: 1}
    assert (scopes(mailed.project), mailed.left()) == ({ALL: "bounce: 5.1.1"}, [])


# ── Who is asked, and who is not ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def box(dovecot: Dovecot, certificate: tuple[Path, Path]) -> Imap:
    return Imap("localhost", USER, PASSWORD, dovecot.imaps, ca_file=str(certificate[0]))


def look(box: Imap) -> list[str]:
    with box.opened() as opened:
        return opened.new(10)


def test_e25_a_mailbox_is_read_after_starttls_too(box: Imap, dovecot: Dovecot) -> None:
    assert look(replace(box, port=dovecot.imap, tls="required")) == []


def no_authority(box: Imap, _dovecot: Dovecot) -> Imap:
    return replace(box, ca_file=None)


def by_starttls(box: Imap, dovecot: Dovecot) -> Imap:
    return replace(box, port=dovecot.imap, tls="required", ca_file=None)


@pytest.mark.parametrize("changed", [no_authority, by_starttls])
def test_e25_a_server_that_cannot_prove_itself_is_told_no_password(
    changed: Callable[[Imap, Dovecot], Imap], box: Imap, dovecot: Dovecot
) -> None:
    before = dovecot.log().count("Login:")
    with pytest.raises(UserError, match="certificate verify failed"):
        look(changed(box, dovecot))
    assert dovecot.log().count("Login:") == before


def test_e25_a_server_without_starttls_is_told_no_password(box: Imap, certificate: tuple[Path, Path]) -> None:
    with Dovecot(*certificate, tls=False) as plain, pytest.raises(UserError, match="cannot be reached"):
        look(replace(box, port=plain.imap, tls="required"))


def test_e25_a_wrong_password_is_named_as_the_reason_and_not_shown(box: Imap) -> None:
    with pytest.raises(UserError, match="does not let 'returns' in") as caught:
        look(replace(box, password="quite another one"))
    assert "another" not in str(caught.value) + repr(box)


def test_e25_a_mailbox_that_is_not_there_is_named(box: Imap) -> None:
    with pytest.raises(UserError, match="the mailbox 'Bounces' at localhost cannot be opened"):
        look(replace(box, mailbox="Bounces"))


async def test_e25_a_server_that_is_away_is_told_and_the_worker_goes_on(
    mailed: Mailed, capsys: pytest.CaptureFixture[str], dovecot: Dovecot
) -> None:
    box = Imap("localhost", USER, PASSWORD, 9)
    with pytest.raises(UserError, match="localhost:9 cannot be reached"):
        look(box)
    assert mailed.app.settings.imap is not None
    away = replace(mailed.app.settings.imap, port=9)
    mailed.app.settings = replace(mailed.app.settings, imap=away)
    mailed.app.check()
    await Worker(mailed.app)._read_returns()
    said = capsys.readouterr()
    assert "worker.tick_failed" in said.out + said.err
    assert PASSWORD not in said.out + said.err

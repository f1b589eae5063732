"""`nurture inbox`: what `transport: folder` wrote, as pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from nurture.campaign.project import Project
from nurture.cli import run
from nurture.inbox.folder import FolderInbox
from nurture.inbox.pages import InboxPages
from nurture.store.database import Transaction

MAIL = "From: Shop <shop@shop.example>\nTo: {to}\nSubject: {subject}\n\nHello.\n"


@pytest.fixture
def inbox(tmp_path: Path) -> FolderInbox:
    return FolderInbox(Project("shop"), tmp_path, _no_database)


@contextmanager
def _no_database() -> Iterator[Transaction | None]:
    yield None


def put(folder: Path, number: int, to: str = "anna@example.com", subject: str = "A word") -> None:
    (folder / f"{number}.eml").write_text(MAIL.format(to=to, subject=subject))


def test_a_file_is_a_mail_with_its_number_and_its_reader(inbox: FolderInbox, tmp_path: Path) -> None:
    put(tmp_path, 12, to="Anna <anna@example.com>")
    (letter,) = inbox.letters()
    assert (letter.number, letter.recipient, letter.name, letter.subject) == (12, "anna@example.com", "Anna", "A word")


def test_a_mail_that_comes_later_is_seen_without_a_restart(inbox: FolderInbox, tmp_path: Path) -> None:
    put(tmp_path, 1)
    before = len(inbox.letters())
    put(tmp_path, 2)
    assert (before, len(inbox.letters())) == (1, 2)


def test_a_mail_that_is_half_written_is_none_yet(inbox: FolderInbox, tmp_path: Path) -> None:
    (tmp_path / ".3.part").write_text("From: Shop")
    assert inbox.letters() == []


async def test_a_page_under_a_strangers_name_shows_no_mail(inbox: FolderInbox) -> None:
    pages = InboxPages(inbox, 8026, "http://127.0.0.1:8025", ("Words.",))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages.app()), base_url="http://evil.example") as client:
        assert (await client.get("/")).status_code == 400


def test_a_project_that_sends_over_smtp_has_no_such_inbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["init", str(tmp_path / "shop")]) == 0
    config = tmp_path / "shop" / "config.yaml"
    config.write_text(config.read_text().replace("transport: folder", "smtp: {host: localhost, tls: none}"))
    assert run(["inbox", "--project", str(tmp_path / "shop")]) == 1
    assert "transport: folder" in capsys.readouterr().err

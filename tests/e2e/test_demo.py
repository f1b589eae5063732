"""`make demo` as a whole, shortened: few people, one week."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from nurture.demo.inbox import pages
from nurture.demo.report import Teller
from nurture.demo.run import Played, Wish, run
from nurture.inbox.letter import Letter
from nurture.store import outbox
from nurture.store.identities import find_lead
from nurture.store.ledger import entries_of
from tests.heard import hear

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)  # 15 seconds on an idle machine


def a_project(folder: Path) -> Path:
    """A copy of the example, so that the demo of whoever runs the tests stays."""
    for name in ("campaigns", "templates", "mappings"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "config.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, told: io.StringIO) -> Played:
    project = a_project(tmp_path_factory.mktemp("shop"))
    return asyncio.run(run(Wish(project, leads=40, weeks=1), Teller(Console(file=told, width=100))))


@pytest.fixture(scope="module")
def letters(played: Played) -> list[Letter]:
    return list(played.inbox.letters())


def test_the_command_ends_with_the_number_of_mails_and_exit_0(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nurture.demo", "--leads", "3", "--weeks", "1", "--project", a_project(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    hear(done.stderr)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ mails were sent", done.stdout.splitlines()[-1])


def test_mails_go_out_in_three_languages(letters: list[Letter]) -> None:
    assert {letter.language for letter in letters} >= {"fr", "en", "ro"}


def test_people_get_mails_in_their_own_language(played: Played, letters: list[Letter]) -> None:
    locales = {person.email: person.locale for person in played.world.people}
    assert {(locales[each.recipient], each.language) for each in letters if each.recipient in locales} <= {
        ("fr", "fr"),
        ("en", "en"),
        ("ro", "ro"),
    }


def test_somebody_unsubscribes_both_ways(played: Played) -> None:
    methods = set()
    with played.app.database.read() as tx:
        for address in played.tally.left:
            lead = find_lead(tx, address)
            assert lead is not None
            methods |= {each["method"] for each in entries_of(tx, lead) if each["event"] == "withdrawn"}
    assert methods == {"one_click", "page"}


def test_e03_nobody_is_mailed_on_a_topic_they_left(played: Played, letters: list[Letter]) -> None:
    left = {
        (address, letter.header("List-Id")): at for address, each in played.tally.left.items() for at, letter in each
    }
    assert left
    after = [
        each.number
        for each in letters
        if each.marketing and each.at > left.get((each.recipient, each.header("List-Id")), each.at)
    ]
    assert after == []


def test_e02_every_marketing_mail_can_be_unsubscribed_with_one_click(played: Played, letters: list[Letter]) -> None:
    marketing = [each for each in letters if each.marketing]
    assert marketing
    assert all(each.one_click.startswith(f"{played.setting.base_url}/u/") for each in marketing)


def test_c07_the_letter_goes_only_to_who_confirmed(letters: list[Letter]) -> None:
    asked = {each.recipient for each in letters if each.template == "consent/confirm"}
    written = {each.recipient for each in letters if "newsletter" in each.header("List-Id")}
    assert written
    assert written < asked


def test_every_message_reaches_its_end(played: Played) -> None:
    with played.app.database.read() as tx:
        states = Counter(row["state"] for row in outbox.listed(tx))
    assert set(states) <= {"sent", "cancelled"}


def test_every_mail_arrives_once(letters: list[Letter]) -> None:
    assert Counter(each.message for each in letters).most_common(1)[0][1] == 1


def test_the_end_shows_the_funnel_and_where_to_look(played: Played, told: io.StringIO) -> None:
    text = told.getvalue()
    assert "Funnel: shop" in text
    assert "cart-recovery" in text
    assert f"{played.setting.root.name}/mails/index.html" in text


def test_the_mails_stay_as_files(played: Played, letters: list[Letter]) -> None:
    assert played.mails.read_text("utf-8").count('class="who"') == len(letters)


async def test_the_inbox_shows_only_what_is_asked_for(played: Played, letters: list[Letter]) -> None:
    wanted = [each for each in letters if each.language == "ro"]
    async with browser(played) as client:
        page = (await client.get("/", params={"language": "ro"})).text
    assert page.count('class="who"') == len(wanted)
    assert all(each.recipient in page or each.name in page for each in wanted)


async def test_a_mail_is_shown_in_a_frame_that_runs_nothing(played: Played, letters: list[Letter]) -> None:
    async with browser(played) as client:
        page = await client.get(f"/mail/{letters[0].number}")
        frame = await client.get(f"/mail/{letters[0].number}/html")
    assert "script" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in frame.headers["content-security-policy"]
    assert "sandbox allow-popups" in frame.headers["content-security-policy"]


async def test_the_inbox_has_a_mail_as_text_and_as_it_came(played: Played, letters: list[Letter]) -> None:
    mail = letters[-1]
    async with browser(played) as client:
        text = (await client.get(f"/mail/{mail.number}", params={"view": "text"})).text
        source = (await client.get(f"/mail/{mail.number}", params={"view": "source"})).text
    assert mail.text.split()[0] in text
    assert "Message-ID:" in source


async def test_a_mail_that_is_not_there_is_no_error_of_ours(played: Played) -> None:
    async with browser(played) as client:
        assert (await client.get("/mail/99999")).status_code == 404


def browser(played: Played) -> httpx.AsyncClient:
    app = pages(played.inbox, played.setting).app()
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

"""`nurture preview --watch`: a page that follows the files the mail is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Window
from tests.e2e.commands import MAIL, Shop, make_shop
from tests.e2e.test_check_watch import watching


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return make_shop(tmp_path, capsys)


@contextmanager
def previewing(shop: Shop, *words: str) -> Iterator[str]:
    """The address of the page."""
    with watching(shop.root, "preview", "hello", "--watch", *words) as watcher:
        said = watcher.says(lambda line: line.startswith("http://127.0.0.1:"))
        yield said.split()[0]


@contextmanager
def states(address: str) -> Iterator[Iterator[str]]:
    """What the stream tells, one state of the files after another."""
    with httpx.stream("GET", f"{address}changes", timeout=20) as stream:
        yield (line.removeprefix("data: ") for line in stream.iter_lines() if line)


BROKEN = MAIL.replace("</p>", "{% if %}</p>", 1)
CHANGES = {
    "templates/hello.html": MAIL.replace("Hello", "Bonjour"),
    "templates/_layout/en.html": "<p>{{ content }}</p>",
    "campaigns/hello.yaml": "campaign: hello\ntopic: offers\nenter: {manual: true}\nsteps: [{send: hello}]\n",
    "segments.yaml": "",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_a_mail_is_made_of_is_told(project: Shop, name: str) -> None:
    with previewing(project) as address, states(address) as told:
        first = next(told)
        project.write(name, CHANGES[name])
        assert next(told) != first


def test_the_page_says_which_state_it_shows(project: Shop) -> None:
    with previewing(project) as address, states(address) as told:
        shown = re.search(r'data-state="(.*?)"', httpx.get(address).text)
        assert shown is not None
        assert shown[1] == next(told)


def test_a_broken_template_is_told_in_words_until_it_is_mended(project: Shop) -> None:
    with previewing(project) as address, states(address) as told:
        next(told)
        project.write("templates/hello.html", BROKEN)
        next(told)
        assert "templates/hello.html:4" in httpx.get(address).text
        project.write("templates/hello.html", MAIL)
        next(told)
        assert "<h1>Hello Camille</h1>" in httpx.get(address).text


def test_the_page_answers_only_to_this_machines_own_names(project: Shop) -> None:
    with previewing(project) as address:
        assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 400


def test_a_port_that_is_taken_is_told(project: Shop) -> None:
    with previewing(project) as address:
        port = address.rstrip("/").rpartition(":")[2]
        assert project.run("preview", "hello", "--watch", "--port", port) == 1
        assert f"cannot listen on 127.0.0.1:{port}" in project.err


def test_what_would_end_at_once_does_not_go_with_watching(project: Shop, tmp_path: Path) -> None:
    assert project.run("preview", "hello", "--watch", "--out", tmp_path / "p.html") == 1


def test_an_interruption_is_how_it_ends_though_a_page_is_open(project: Shop) -> None:
    with watching(project.root, "preview", "hello", "--watch") as watcher:
        address = watcher.says(lambda line: line.startswith("http://")).split()[0]
        with states(address) as told:
            next(told)
            assert watcher.ended() == 0


@pytest.mark.chromium
def test_an_open_page_shows_the_new_words_and_needs_nothing_its_policy_refuses(
    project: Shop, chromium: Browser
) -> None:
    with previewing(project) as address:
        context = chromium.new_context()
        window = Window(context, context.new_page(), {address.split("/")[2]})
        window.watch(window.page)
        window.page.route("**/*", window.route)
        window.page.goto(address)
        expect(window.page.locator("h1")).to_have_text("Hello Camille")
        project.write("templates/hello.html", BROKEN)
        expect(window.page.locator("h1")).to_have_text("This mail cannot be shown yet")
        project.write("templates/hello.html", MAIL.replace("Hello", "Bonjour"))
        expect(window.page.locator("h1")).to_have_text("Bonjour Camille")
        frame = window.page.frame_locator("iframe").first
        expect(frame.locator("p").first).to_have_text("Bonjour")
        assert (window.complaints, window.strangers) == ([], [])
        context.close()

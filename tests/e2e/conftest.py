from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.delivery.conftest import make_certificate
from tests.e2e.browsing import ARGUMENTS, executable
from tests.e2e.commands import Shop, make_shop
from tests.e2e.house import House, open_house
from tests.peers.ground import need


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A small project with two campaigns, nothing deployed yet."""
    monkeypatch.setenv("COLUMNS", "120")
    # Loggers keep the stderr they first met, and that of another test is closed by now.
    monkeypatch.setattr("nurture.logs.set_up", lambda: None)
    return make_shop(tmp_path, capsys)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The certificate of every mail server of the tests, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture(scope="session")
def postfix_is_here() -> None:
    need("postconf")


@pytest.fixture(scope="session")
def opensmtpd_is_here() -> None:
    need("smtpd", "ldd", "chroot")


@pytest.fixture(scope="session")
def dovecot_is_here() -> None:
    need("dovecot")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # Of one module each: while it runs its loop is this thread's, and tests with loops of their own could not run.
    need("chromium", root=False)
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The example shop with its doors open, which also counts clicks of those who agree."""
    with open_house(tmp_path_factory.mktemp("house"), config="tracking: true\n") as opened:
        yield opened

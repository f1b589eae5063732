from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.conftest import make_certificate
from tests.e2e.commands import Shop, make_shop
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

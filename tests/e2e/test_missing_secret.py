"""A secret that is missing stops the start, before anybody is called (trust X17)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nurture.cli import run

CONFIG = """\
project: acme
database: postgresql://nurture@127.0.0.1:{port}/nurture
base_url: http://127.0.0.1:9
secrets: ["0123456789abcdef0123456789abcdef"]
sender: {{name: Acme, email: news@acme.example, postal_address: "1 rue X, Paris"}}
smtp: {{host: 127.0.0.1, port: {port}, username: acme, password: "{password}"}}
topics: {{offers: {{title: {{en: Offers}}, wording: {{en: "Yes."}}}}}}
"""
COMMANDS = [["run"], ["serve"], ["worker"], ["worker", "--once"]]


class Listener:
    """Where the database and the mail server should be. It hangs up on whoever calls, and counts them."""

    def __init__(self) -> None:
        self.wire = socket.create_server(("127.0.0.1", 0))
        self.port = self.wire.getsockname()[1]
        self.called = 0
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                caller, _ = self.wire.accept()
            except OSError:
                return
            self.called += 1
            caller.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.wire.close()


def start(root: Path, listener: Listener, password: str, words: list[str]) -> int:
    (root / "config.yaml").write_text(CONFIG.format(port=listener.port, password=password))
    return run(["--project", str(root), *words])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("password", "named"),
    [
        ("${ACME_PASSWORD}", "the environment variable 'ACME_PASSWORD' is not set"),
        ("${file:keys/password}", "the file 'keys/password' cannot be read"),
    ],
)
def test_x17_a_missing_secret_is_named_and_nobody_is_called(
    tmp_path: Path,
    listener: Listener,
    words: list[str],
    password: str,
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert start(tmp_path, listener, password, words) != 0
    assert named in capsys.readouterr().err
    assert listener.called == 0


def test_x17_with_the_secret_the_database_is_called(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "x")
    assert start(tmp_path, listener, "${ACME_PASSWORD}", ["worker", "--once"]) != 0
    assert listener.called > 0

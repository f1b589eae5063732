"""Everything the program logs while tests run, looked through after each of them (trust X16).

Lines of structlog and of `logging` are heard as they are written; those of processes of their own are handed over with
`hear`. A line with the address, the name, the token, the key or the body of anybody fails the test that it fell in.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog

NAME = "Xanthippe-Quill"  # the first name of leads in tests
BODY = "Zephyrine-Body"  # stands in the mails of tests
TELLING = {
    "an address": re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"),
    "an API key": re.compile(r"\bnk_[\w-]{43}"),
    "a link's token": re.compile(r"/[ucpdefro]/[\w.-]{16,}"),
    "a name": re.compile(NAME),
    "a body": re.compile(BODY),
}
# Other parties of the tests log as they like: mail servers, clients, browsers.
STRANGERS = ("mail.", "hypothesis", "schemathesis", "httpx", "httpcore", "urllib3", "faker", "segment", "analytics")

_lines: list[str] = []
_lock = threading.Lock()


def hear(text: str | bytes) -> None:
    """What a process of its own wrote to its log."""
    with _lock:
        _lines.extend((text.decode("utf-8", "replace") if isinstance(text, bytes) else text).splitlines())


def told(lines: Sequence[str]) -> list[str]:
    """What of these lines tells of somebody, each with what it tells."""
    return [f"{what}: {line[:300]}" for line in lines for what, shape in TELLING.items() if shape.search(line)]


def taken() -> list[str]:
    """The lines since this was last asked."""
    with _lock:
        lines = _lines[:]
        _lines.clear()
    return lines


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(STRANGERS):
            hear(self.format(record))


def _tap(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    hear(repr(event))
    return event


def listen() -> None:
    """From now on every logger of this process is heard, also after `nurture.logs.set_up`."""
    configure = structlog.configure

    def tapped(**settings: Any) -> None:
        *before, render = settings["processors"]
        configure(**{**settings, "processors": [*before, _tap, render]})

    structlog.configure = tapped
    tapped(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.set_exc_info,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(_Screen()),  # type: ignore[arg-type]
    )
    logging.getLogger().addHandler(_Ear(logging.INFO))


class _Screen:
    """Whatever stdout is at that moment: pytest changes it for each test."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture(autouse=True)
def _logs_tell_of_nobody() -> Iterator[None]:
    yield
    found = told(taken())
    assert not found, "the log tells of somebody:\n" + "\n".join(found)

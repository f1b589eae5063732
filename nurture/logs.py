"""How the program logs: one line an event, a word and ids, never an address, a token or a body (trust X16).

No line of ours holds any of these. What others put into an exception is beyond us, so every line is looked through
once more before it is written.
"""

from __future__ import annotations

import logging
import re
import sys

import structlog

GONE = "…"
# What stands for a person or opens a door, wherever it stands; `keep` is the part that may be read.
_SECRETS = [
    re.compile(r"(?P<keep>://[^\s/:@]*:)[^\s/@]+(?=@)"),  # the password in a database's address
    re.compile(r"""[^\s<>"'(),;:=/…]+@[^\s<>"'(),;:=/@]+"""),  # an e-mail address
    re.compile(r"\bnk_[\w-]{20,}"),  # an API key
    re.compile(r"[\w-]{4,}\.[\w-]{22}(?![\w-])"),  # the token of a link: payload and 128 bits of signature
    re.compile(r"(?P<keep>\bAUTH(?:ENTICATE)? [A-Z0-9-]+) \S+"),  # an SMTP login
    re.compile(r"(?P<keep>\bDETAIL: ).*"),  # PostgreSQL names the values of a row it refuses
]


def set_up(level: int = logging.INFO) -> None:
    """Events to stderr: for people on a terminal, as JSON elsewhere."""
    others = logging.StreamHandler(_Stderr())
    others.setFormatter(_Redacted("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[others], level=logging.WARNING)
    # A tick that is still at work when its time comes again is skipped; that is meant, and not worth a line.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_event,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


class _Stderr:
    """Whatever stderr is at that moment: who runs us inside a program of theirs may change it and close the old one."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def redacted(text: str) -> str:
    """The text without addresses, passwords, keys and tokens."""
    for secret in _SECRETS:
        text = secret.sub(_kept, text)
    return text


def _kept(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + GONE


def _redact_event(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {name: redacted(value) if isinstance(value, str) else value for name, value in event.items()}


class _Redacted(logging.Formatter):
    """For lines of libraries, with their tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))

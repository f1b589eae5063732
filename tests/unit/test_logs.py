"""What is logged tells of nobody (trust X16), and the ear of the tests hears what does."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from nurture.logs import redacted
from tests.heard import NAME, told

KEY = "nk_" + "x" * 43
TOKEN = "kwEBoQ." + "s" * 22


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("could not send to anna@example.com now", "could not send to … now"),
        ("Key (canonical)=(zoë@exämple.com) exists", "Key (canonical)=(…) exists"),
        ('{"to":"anna+x@mail.example.co.uk"}', '{"to":"…"}'),
        ("postgresql://shop:s3cret@db.example/x is down", "postgresql://shop:…@db.example/x is down"),
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer …"),
        (f"GET /u/{TOKEN} failed", "GET /u/… failed"),
        ("sent AUTH PLAIN AGFubmEAc2VjcmV0", "sent AUTH PLAIN…"),
        ("null value\nDETAIL: Failing row contains (1, Anna).\nSQL", "null value\nDETAIL: …\nSQL"),
        ("messages.settled sent=12 took_s=0.31", "messages.settled sent=12 took_s=0.31"),
        ("version 3.51.3 of 2026-11-22T01:02:03.000004Z", "version 3.51.3 of 2026-11-22T01:02:03.000004Z"),
    ],
)
def test_x16_no_line_goes_out_with_what_stands_for_a_person_or_opens_a_door(text: str, left: str) -> None:
    assert redacted(text) == left


_FAILING = """
import logging, structlog
from nurture.logs import set_up
set_up()
try:
    raise ValueError("no mailbox anna@example.com")
except ValueError:
    structlog.get_logger().exception("ingest.failed", why="bo@example.com")
    logging.getLogger("asyncio").exception("broken: cy@example.com")
"""


def test_x16_a_traceback_goes_out_without_the_address_in_it() -> None:
    ran = subprocess.run([sys.executable, "-c", _FAILING], capture_output=True, text=True, check=True)
    assert "ingest.failed" in ran.stderr
    assert "Traceback" in ran.stderr
    assert "broken: …" in ran.stderr
    assert told(ran.stderr.splitlines()) == []


_SPEAKING = """
import logging, structlog
from tests.heard import hear

def test_by_structlog(): structlog.get_logger().info("sent", to="anna@example.com")
def test_by_a_library(): logging.getLogger("uvicorn").warning("GET /u/kwEBoQ.ssssssssssssssssssssss")
def test_by_a_process(): hear(b"{name}")
def test_in_a_traceback():
    try:
        raise ValueError("anna@example.com")
    except ValueError:
        structlog.get_logger().exception("failed")
def test_of_nobody(): structlog.get_logger().info("sent", message=5)
"""


def test_x16_a_test_whose_log_tells_of_somebody_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests import heard\nfrom tests.heard import _logs_tell_of_nobody\nheard.listen()\n"
    )
    (tmp_path / "test_speaking.py").write_text(_SPEAKING.format(name=NAME))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert "5 passed, 4 errors" in ran.stdout, ran.stdout


def test_x16_a_line_of_a_library_below_warning_is_not_written() -> None:
    assert logging.getLogger("sqlalchemy.engine").getEffectiveLevel() >= logging.WARNING

"""What systemd is told, over a real socket (trust R16, X22)."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nurture.service import beats_every, notify, told

UNITS = Path(__file__).parents[2] / "docs" / "how-to" / "systemd"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(tmp_path / "notify"))
        wire.setblocking(False)
        yield wire


def environ(wire: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": wire.getsockname(), **more}


async def heard(wire: socket.socket, count: int) -> list[str]:
    loop = asyncio.get_running_loop()
    return [(await loop.sock_recv(wire, 100)).decode() for _ in range(count)]


async def test_x22_systemd_hears_ready_life_and_stopping(systemd: socket.socket) -> None:
    async with told(environ(systemd, WATCHDOG_USEC="20000"), 1):
        during = await heard(systemd, 3)
    assert during == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    rest = []
    while not rest or rest[-1] != "STOPPING=1":
        rest += await heard(systemd, 1)
    assert set(rest[:-1]) <= {"WATCHDOG=1"}


async def test_x22_without_a_watchdog_there_is_no_sign_of_life(systemd: socket.socket) -> None:
    async with told(environ(systemd), 1):
        pass
    assert await heard(systemd, 2) == ["READY=1", "STOPPING=1"]


async def test_r16_work_that_stands_for_as_long_as_is_allowed_gives_no_sign_of_life(systemd: socket.socket) -> None:
    asked = 0

    def standing() -> float:
        nonlocal asked
        asked += 1
        return 0.019 if asked <= 2 else 0.02

    async with told(environ(systemd, WATCHDOG_USEC="20000"), 1, standing):
        while asked < 5:  # noqa: ASYNC110 — another task asks
            await asyncio.sleep(0.01)
    assert await heard(systemd, 4) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize("given", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_x22_without_systemd_nothing_is_told_and_nothing_breaks(given: dict[str, str]) -> None:
    assert notify(given, "READY=1") is False


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_r16_the_sign_of_life_comes_twice_in_what_is_allowed(given: dict[str, str], seconds: float | None) -> None:
    assert beats_every(given, 7) == seconds


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_x22_the_sample_units_expose_little(unit: str) -> None:
    """3 or less of 10, as systemd judges."""
    judged = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", "--no-pager", str(UNITS / unit)]
    done = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr

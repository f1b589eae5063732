"""What the program says to systemd: that it is ready, that it lives, that it stops (trust R16, X22).

A datagram to `$NOTIFY_SOCKET`, as sd_notify(3) describes it; nothing where there is no such variable. The sign of life
comes out of the event loop, so that a loop that hangs falls silent, as does one whose work stands still beside it; then
systemd starts the service anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping

import structlog

log = structlog.get_logger()


def notify(environ: Mapping[str, str], state: str) -> bool:
    """Tell systemd; whether there was somebody to tell."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    path = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.sendto(state.encode(), path)
    except OSError as error:
        log.warning("service.not_told", state=state, error=error.strerror)
        return False
    return True


def beats_every(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two signs of life: half of what `WatchdogSec=` allows; None where none is asked for."""
    allowed = environ.get("WATCHDOG_USEC", "")
    if not allowed.isdigit() or int(allowed) == 0 or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(allowed) / 2_000_000


@contextlib.asynccontextmanager
async def told(
    environ: Mapping[str, str], pid: int, standing: Callable[[], float] = lambda: 0.0
) -> AsyncIterator[None]:
    """Ready at the beginning of the block, a sign of life now and then, stopping at its end. `standing` says for how
    many seconds the work has not moved on; from `WatchdogSec=` on there is no sign of life."""
    notify(environ, "READY=1")
    seconds = beats_every(environ, pid)
    beating = asyncio.create_task(_beat(environ, seconds, standing)) if seconds else None
    try:
        yield
    finally:
        notify(environ, "STOPPING=1")
        if beating is not None:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def _beat(environ: Mapping[str, str], seconds: float, standing: Callable[[], float]) -> None:
    while True:
        if standing() < 2 * seconds:
            notify(environ, "WATCHDOG=1")
        await asyncio.sleep(seconds)

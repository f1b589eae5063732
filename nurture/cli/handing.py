"""Handing one mail to the way out, for commands that send a single one; nothing of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.delivery.transport import Mail, Reply, Result, Transport


def hand_over(transport: Callable[[], Transport], mail: Mail) -> Reply:
    """What the server said when it took the mail. Raises UserError where it did not."""
    from nurture.delivery.transport import Dropped, Refused, Sent

    match asyncio.run(_send(transport, mail)):
        case Sent(reply=reply):
            return reply
        case Refused(reply=reply):
            raise UserError(f"the server refused it ({reply.phase}, {reply.code}): {reply.text}")
        case Dropped(reply=reply, dot_written=True):
            raise UserError(f"the server gave no answer at the end; it may have taken it: {reply.text}")
        case Dropped(reply=reply):
            raise UserError(f"it could not be handed over ({reply.phase}): {reply.text}")
        case _:
            raise UserError("it was not sent")


async def _send(transport: Callable[[], Transport], mail: Mail) -> Result:
    wire, out = _Wire(), transport()
    try:
        await out.send([mail], wire, connections=1)
    finally:
        await out.aclose()
    assert wire.result is not None
    return wire.result


class _Wire:
    """Lets everything through; remembers how it ended."""

    result: Result | None = None

    async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
        return [mail.id for mail in mails]

    def on_dot(self, mail: Mail, connection: int) -> None:
        """Nothing of a test is kept, so nothing is left unknown."""

    def on_result(self, result: Result) -> None:
        self.result = result

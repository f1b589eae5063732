"""Calls that wait in the outbox: claimed, printed, made, their answers given to the enrollments that wait.

Only addresses of the project's own webhooks are called; what a lead gave as an address is text (trust X23).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from nurture.clock import machine_now
from nurture.delivery import webhook
from nurture.delivery.dispatch import Dispatch
from nurture.delivery.press import Press, Spoiled
from nurture.delivery.webhook import CallFailed
from nurture.engine import outcomes
from nurture.engine.turn import Turn
from nurture.mail.message import digest
from nurture.mail.outcome import next_attempt
from nurture.mail.render import RenderFailed
from nurture.store import letters, outbox
from nurture.store.letters import Letters
from nurture.store.outbox import CALL, ERASURE, Claimed, Launch, Result

log = structlog.get_logger()

BATCH = 100
AT_ONCE = 20
LEASE = timedelta(minutes=2)
FIRST, LONGEST = timedelta(seconds=10), timedelta(minutes=10)
PATIENT = timedelta(hours=1)  # the longest pause before an erasure is told again


@dataclass
class Calls:
    """One worker's calls. `urls` are the addresses of config.yaml by name, secrets put in. `dispatch` has what it
    shares with mails: the database, the press, the clock."""

    dispatch: Dispatch
    urls: Mapping[str, str]
    lookup: webhook.Resolve = webhook.resolve
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self) -> int:
        """Make the calls that wait now, once; how many."""
        taken = await asyncio.to_thread(self._claim)
        if taken is None:
            return 0
        press, claimed, needed = taken
        made = [self._make(press, m, needed) for m in claimed]
        results = await asyncio.gather(*made)
        await asyncio.to_thread(self._settle, press, claimed, results)
        return len(claimed)

    def _claim(self) -> tuple[Press, list[Claimed], Letters] | None:
        d = self.dispatch
        now = d.clock.now()
        press = d.present()
        if press is None or (press.live.paused and not press.live.pause_spares_service):
            return None
        standing = sorted(name for name, c in press.live.campaigns.items() if c.stands)
        with d.database.write() as tx:
            until = machine_now() + LEASE
            kinds = (CALL, ERASURE)
            claimed = outbox.claim(tx, None, now, until, d.worker, BATCH, kinds=kinds, except_campaigns=standing)
            if not claimed:
                return None
            needed = letters.load(tx, press.live.project, claimed, now)
            d.fetch_templates(tx, claimed)
        return press, claimed, needed

    async def _make(self, press: Press, m: Claimed, needed: Letters) -> Result:
        d, now = self.dispatch, self.dispatch.clock.now()
        name = str(m.options.get("webhook"))
        try:
            body = m.body or self._body(press, m, needed)
            where = webhook.target(self.urls.get(name, ""))
            going = await asyncio.to_thread(self._launch, m, body)
            if not going:
                return Result(m.id, m.fence, "cancelled", now, "taken back")
            spec = press.live.project.webhooks.get(name)
            async with self._gate:
                answer = await webhook.post(
                    where,
                    body,
                    self._headers(name, m, body),
                    seconds=float(spec.timeout.seconds or 10) if spec else 10.0,
                    lookup=self.lookup,
                )
        except RenderFailed as error:
            return Result(m.id, m.fence, "failed", now, error.message)
        except CallFailed as error:
            return self._again(m, error)
        kept: dict[str, Any] = answer if isinstance(answer, dict) else {} if answer is None else {"answer": answer}
        return Result(m.id, m.fence, "sent", d.clock.now(), answer=kept)

    def _body(self, press: Press, m: Claimed, needed: Letters) -> bytes:
        now = self.dispatch.clock.now()
        if m.template is not None:
            told = press.tell(m, needed, now)
            if isinstance(told, Spoiled):
                raise RenderFailed(m.template, told.reason)
            said: dict[str, Any] = {"subject": told.subject, "text": told.text.strip()}
        else:
            said = {key: press.say(m, needed, value, now) for key, value in (m.options.get("body") or {}).items()}
        return msgspec.json.encode(said)

    def _headers(self, name: str, m: Claimed, body: bytes) -> list[tuple[str, str]]:
        at = machine_now()
        secret = self.dispatch.keyring.webhook_secret(name)
        return [
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", "nurture"),
            ("webhook-id", f"call_{m.id}"),
            ("webhook-timestamp", str(int(at.timestamp()))),
            ("webhook-signature", webhook.signature(secret, f"call_{m.id}", at, body)),
        ]

    def _launch(self, m: Claimed, body: bytes) -> bool:
        """The attempt is kept before the wire; the body too, so that a repetition says the same."""
        at = machine_now()
        launch = Launch(m.id, m.fence, f"call_{m.id}", m.dated or at, digest(body), body)
        with self.dispatch.database.write() as tx:
            return m.id in outbox.launch(tx, [launch], self.dispatch.worker, at)

    def _again(self, m: Claimed, error: CallFailed) -> Result:
        now = self.dispatch.clock.now()
        longest = PATIENT if m.kind == ERASURE else LONGEST
        due = now + next_attempt(m.attempts + 1, FIRST, longest, self.dispatch.judge.dice.between)
        if m.kind == ERASURE:  # owed until it is taken, whatever the other side says (trust C28)
            return Result(m.id, m.fence, "pending", now, error.message, due=due)
        if error.again and (m.expires_at is None or due < m.expires_at):
            return Result(m.id, m.fence, "pending", now, error.message, due=due)
        return Result(m.id, m.fence, "failed", now, error.message)

    def _settle(self, press: Press, claimed: list[Claimed], results: list[Result]) -> None:
        with self.dispatch.database.write() as tx:
            turn = Turn(tx, press.live)
            by_id = {m.id: m for m in claimed}
            written = outcomes.settle(turn, by_id, results)
            turn.flush()
            outbox.remove(tx, [r.message for r in written if r.state == "sent" and by_id[r.message].kind == ERASURE])
        counts = {state: sum(r.state == state for r in results) for state in {r.state for r in results}}
        log.info("calls.settled", **counts)

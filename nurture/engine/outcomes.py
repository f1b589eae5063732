"""What follows when something has left, or has not: events, waiting enrollments, answers of webhooks.

Written with the outcome itself, in batches, by dispatch and by the simulator alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nurture.engine.turn import Turn
from nurture.engine.writing import Decided, write
from nurture.journey import causes
from nurture.store import enrollments, outbox
from nurture.store.outbox import Claimed, Result


def settle(turn: Turn, claimed: Mapping[int, Claimed], results: Sequence[Result]) -> list[Result]:
    """Write these outcomes where their claims still hold, with everything that follows; those that were written."""
    written = outbox.settle(turn.tx, results)
    final = [r for r in written if r.state != "pending"]
    owners = turn.owners(claimed[r.message] for r in final)
    for r in final:
        m = claimed[r.message]
        if m.kind == outbox.MAIL and r.state in ("sent", "unknown") and m.id in owners:
            properties = {"mail": m.template, "step": m.step, "campaign": m.campaign, "message": m.id}
            turn.emit(owners[m.id], "mail.sent", r.at, properties)
    _answer(turn, [(claimed[r.message], r) for r in final if claimed[r.message].kind == outbox.CALL])
    turn.flush()
    mails = {claimed[r.message].enrollment: r.at for r in final if claimed[r.message].kind == outbox.MAIL}
    enrollments.wake_each(turn.tx, {e: at for e, at in mails.items() if e is not None}, "earlier mail")
    return written


def _answer(turn: Turn, answered: Sequence[tuple[Claimed, Result]]) -> None:
    """Let enrollments that wait for a webhook's answer go on (with it, or without)."""
    by_enrollment = {m.enrollment: (m, r) for m, r in answered if m.enrollment is not None}
    if not by_enrollment:
        return
    decided = []
    for e in enrollments.by_ids(turn.tx, list(by_enrollment)):
        m, r = by_enrollment[e.id]
        turn.live.ensure(turn.tx, [(e.campaign, e.version)])
        plan = turn.live.plans[e.campaign, e.version]
        step = m.step or ""
        decision = (
            causes.answered(plan, e, step, m.visit, r.answer or {}, r.at)
            if r.state == "sent"
            else causes.call_failed(plan, e, step, m.visit, r.reason or r.state, r.at)
        )
        if decision is not None:
            decided.append(Decided(e, decision, r.at))
    turn.load(d.before.lead for d in decided)
    write(turn, decided)


def park(turn: Turn, failed: Mapping[int, tuple[str, datetime]]) -> None:
    """A template of these enrollments could not be printed: they stand aside until a deploy mends it,
    and everybody else goes on (trust R13)."""
    found = enrollments.by_ids(turn.tx, list(failed))
    decided = [
        Decided(e, decision, failed[e.id][1])
        for e in found
        if (decision := causes.parked(e, failed[e.id][0])) is not None
    ]
    turn.load(d.before.lead for d in decided)
    write(turn, decided)
    turn.flush()

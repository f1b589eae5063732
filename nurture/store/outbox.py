"""The outbox: everything that is to leave, its claims, its attempts and what came of them.

Every write after a claim names the claim's fence: a worker whose lease has ended writes nothing (trust R5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, not_, or_, select, update

from nurture.store.among import among
from nurture.store.database import Transaction, insert_rows
from nurture.store.many import Many
from nurture.store.scope import Scope
from nurture.store.tables import attempts, leads, messages

MAIL, NOTICE, CONFIRM, CALL = "mail", "notice", "confirm", "call"
RIGHT = "right"  # the link somebody asked for to see or erase their data
ERASURE = "erasure"  # tells another system that a lead was erased; deleted once it is taken
ENDED_ON_THE_WIRE = "the worker ended while it was on the wire"
UNDERWAY = ("pending", "claimed", "sending")
UNSENT = ("pending", "claimed")
TAKEN = ("claimed", "sending")


def insert(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Put messages into the outbox. One with the same (enrollment, step, visit) cannot be there: the key is unique."""
    insert_rows(tx, messages, rows)


def _in(*states: str) -> ColumnElement[bool]:
    """In one of these states, for statements run for many rows at once: SQLAlchemy expands `IN` for one only."""
    return or_(*(messages.c.state == state for state in states))


def cancel(tx: Transaction, reasons: Mapping[int, str]) -> int:
    """Cancel mails of these enrollments that are pending or claimed (S24); what is on the wire goes out, and so do
    notices: a colleague who was to know still is to. How many."""
    if not reasons:
        return 0
    c = messages.c
    statement = (
        update(messages)
        .where(c.enrollment_id == bindparam("b_enrollment"), c.kind == MAIL, _in(*UNSENT))
        .values(state="cancelled", reason=bindparam("b_reason"), fence=c.fence + 1, lease_until=None)
    )
    rows = [{"b_enrollment": e, "b_reason": reason} for e, reason in reasons.items()]
    return tx.execute(statement, rows).rowcount


def supersede(tx: Transaction, leads_: Sequence[int], kind: str, reason: str) -> None:
    """Cancel what of this kind is pending or claimed for these leads: a newer one takes its place."""
    if leads_:
        c = messages.c
        query = update(messages).where(among(c.lead_id, leads_), c.kind == kind, _in(*UNSENT))
        tx.execute(query.values(state="cancelled", reason=reason, fence=c.fence + 1, lease_until=None))


def cancel_lead(tx: Transaction, lead: int, reason: str) -> int:
    """Cancel everything of the lead that is pending or claimed. How many."""
    c = messages.c
    query = update(messages).where(c.lead_id == lead, c.state.in_(("pending", "claimed")))
    return tx.execute(query.values(state="cancelled", reason=reason, fence=c.fence + 1, lease_until=None)).rowcount


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message a worker holds until its lease ends."""

    id: int
    fence: int
    kind: str
    lead: int | None
    shard: int
    enrollment: int | None
    campaign: str | None
    version: str | None
    step: str | None
    visit: int
    template: str | None
    template_hash: str | None
    service: bool
    topic: str | None
    recipient: str | None
    options: dict[str, Any]
    lane: str
    attempts: int
    due: datetime
    released_at: datetime
    expires_at: datetime | None
    mail_id: str | None
    dated: datetime | None
    body: bytes | None


_NAMED = {"lead": "lead_id", "enrollment": "enrollment_id"}
CLAIMED = [messages.c[_NAMED.get(f.name, f.name)] for f in fields(Claimed)]


def claim(
    tx: Transaction,
    lane: str | None,
    now: datetime,
    lease_until: datetime,
    worker: str,
    limit: int,
    *,
    kinds: Sequence[str] = (MAIL, NOTICE, CONFIRM, RIGHT),
    except_lanes: Sequence[str] = (),
    except_campaigns: Sequence[str] = (),
    marketing: bool = True,
    service: bool = True,
) -> list[Claimed]:
    """Take up to `limit` pending messages of a lane (None: of any but `except_lanes`) until `lease_until` (machine
    time): service mail first, for somebody waits for it, then the rest, oldest due first in both (trust X18). Two
    workers never take the same one: on PostgreSQL rows another is taking are skipped (trust R4). What is paused is
    left: `except_campaigns`, all marketing, all service mail. Uses ix_messages_service, then ix_messages_due, or
    ix_messages_pending for one lane: in their order, so that what else waits is not read."""
    c = messages.c
    page = select(c.id).where(c.state == "pending", c.due <= now, c.kind.in_(kinds))
    if lane is not None:
        page = page.where(c.lane == lane)
    if except_lanes:
        page = page.where(c.lane.not_in(except_lanes))
    if except_campaigns:
        page = page.where(c.campaign.is_(None) | c.campaign.not_in(except_campaigns))
    if not marketing:
        page = page.where(c.service | (c.kind != MAIL))
    held = {"state": "claimed", "fence": c.fence + 1, "lease_until": lease_until, "worker": worker}
    found = _take(tx, page.where(c.service), limit, held) if service else []
    if len(found) < limit:
        found += _take(tx, page.where(not_(c.service)), limit - len(found), held)
    return found


def _take(tx: Transaction, page: Select[Any], limit: int, held: Mapping[str, Any]) -> list[Claimed]:
    """The first of these rows by due time, updated to be `held`; in the order of their ids."""
    c = messages.c
    page = page.order_by(c.due, c.id).limit(limit)
    if tx.dialect.name == "postgresql":
        page = page.with_for_update(skip_locked=True)
    rows = page.cte("page").select() if tx.dialect.name == "postgresql" else page
    taken = update(messages).where(c.id.in_(rows), c.state == "pending").values(**held).returning(*CLAIMED)
    return sorted((Claimed(*row) for row in tx.execute(taken)), key=lambda m: m.id)


def claim_of(tx: Transaction, scope: Scope) -> list[Claimed]:
    """Everything pending in this scope, whatever its lane, as if claimed; for the transport that takes no time."""
    query = select(*CLAIMED).where(messages.c.state == "pending", messages.c.due <= scope.now, scope.on(messages))
    found = [Claimed(*row) for row in tx.execute(query.order_by(messages.c.id))]
    if found:
        tx.execute(update(messages).where(messages.c.id.in_([m.id for m in found])).values(state="claimed"))
    return found


def hold(tx: Transaction, held: Sequence[tuple[int, int, datetime | None, str]]) -> None:
    """Messages the wire gate keeps back before anything of them was written, (id, fence, until, reason): cancelled, or
    pending again until then."""
    if not held:
        return
    c = messages.c
    tx.execute(
        update(messages)
        .where(c.id == bindparam("b_id"), c.fence == bindparam("b_fence"), _in(*TAKEN))
        .values(
            state=bindparam("b_state"),
            reason=bindparam("b_reason"),
            due=func.coalesce(bindparam("b_due", type_=c.due.type), c.due),
            lease_until=None,
        ),
        [
            {
                "b_id": message,
                "b_fence": fence,
                "b_state": "cancelled" if until is None else "pending",
                "b_reason": reason,
                "b_due": until,
            }
            for message, fence, until, reason in held
        ],
    )


def give_back(tx: Transaction, claims: Sequence[tuple[int, int]], due: datetime | None = None) -> None:
    """Claimed or sending messages that were not begun after all, (id, fence), are pending again, from `due` on."""
    if not claims:
        return
    c = messages.c
    tx.execute(
        update(messages)
        .where(c.id == bindparam("b_id"), c.fence == bindparam("b_fence"), _in(*TAKEN))
        .values(
            state="pending",
            lease_until=None,
            due=func.coalesce(bindparam("b_due", type_=c.due.type), c.due),
        ),
        [{"b_id": message, "b_fence": fence, "b_due": due} for message, fence in claims],
    )


def renew(tx: Transaction, claims: Sequence[tuple[int, int]], lease_until: datetime) -> None:
    """Hold these (id, fence) longer: the worker is alive and still at them."""
    if claims:
        c = messages.c
        tx.execute(
            update(messages)
            .where(c.id == bindparam("b_id"), c.fence == bindparam("b_fence"), _in(*TAKEN))
            .values(lease_until=bindparam("b_lease", type_=c.lease_until.type)),
            [{"b_id": message, "b_fence": fence, "b_lease": lease_until} for message, fence in claims],
        )


@dataclass(frozen=True, slots=True)
class Launch:
    """A claimed message about to go on the wire."""

    message: int
    fence: int
    mail_id: str
    dated: datetime
    sha256: str
    body: bytes | None  # kept where the policy for an unknown outcome is to send the same bytes again
    sender: str = ""  # the From address, and
    recipient: str = ""  # where it goes: ways that may be closed (trust E15)
    mailed_to: str | None = None  # the recipient's keyed hash: whom a bounce is about


_LAUNCHED = ("mail_id", "dated", "sha256", "body", "mailed_to")
_LAUNCH = Many(
    update(messages)
    .where(messages.c.id == bindparam("b_id"), messages.c.fence == bindparam("b_fence"), messages.c.state == "claimed")
    .values(
        state="sending",
        attempts=messages.c.attempts + 1,
        **{name: bindparam(f"b_{name}") for name in _LAUNCHED},
    ),
    ("b_id", "b_fence", *(f"b_{name}" for name in _LAUNCHED)),
)


def launch(tx: Transaction, launches: Sequence[Launch], worker: str, now: datetime) -> set[int]:
    """claimed → sending with an attempt row each, where the fence still holds; the ids that may go. In the transaction
    of the wire gate, just before MAIL FROM (trust R3)."""
    if not launches:
        return set()
    c = messages.c
    fences = {launch.message: launch.fence for launch in launches}
    query = select(c.id, c.fence, c.state).where(among(c.id, fences), c.state.in_(("claimed", "sending")))
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()
    held = {id_: state for id_, fence, state in tx.execute(query) if fence == fences[id_]}
    # Asked about again while it waits for its connection: its attempt is there already.
    again = {message for message, state in held.items() if state == "sending"}
    going = [launch for launch in launches if held.get(launch.message) == "claimed"]
    if not going:
        return again
    _LAUNCH.run(tx, [(x.message, x.fence, x.mail_id, x.dated, x.sha256, x.body, x.mailed_to) for x in going])
    insert_rows(
        tx,
        attempts,
        [{"message_id": x.message, "fence": x.fence, "worker": worker, "started_at": now} for x in going],
    )
    return again | {x.message for x in going}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt. `state` is sent, pending (retry at `due`), failed, unknown or cancelled."""

    message: int
    fence: int
    state: str
    at: datetime
    reason: str | None = None
    due: datetime | None = None
    phase: str | None = None
    code: int | None = None
    enhanced: str | None = None
    text: str | None = None
    outcome: str | None = None
    answer: dict[str, Any] | None = None


_SETTLE = Many(
    update(messages)
    .where(messages.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        lease_until=None,
        **{
            name: func.coalesce(bindparam(f"b_{name}", type_=messages.c[name].type), messages.c[name])
            for name in ("due", "sent_at", "answer")
        },
    ),
    ("b_id", "b_state", "b_reason", "b_due", "b_sent_at", "b_answer"),
)
_ENDED = ("ended_at", "phase", "code", "enhanced", "text", "outcome")
_END_ATTEMPT = Many(
    update(attempts)
    .where(attempts.c.message_id == bindparam("b_message"), attempts.c.fence == bindparam("b_fence"))
    .values(**{name: bindparam(name) for name in _ENDED}),
    ("b_message", "b_fence", *_ENDED),
)


def settle(tx: Transaction, results: Sequence[Result]) -> list[Result]:
    """Write the outcomes of claimed or sending messages whose fence still holds; those that were written. An outcome
    that comes after the lease ended is kept on its attempt and changes no state, unless it proves that the mail was
    accepted: then `unknown` becomes `sent`."""
    if not results:
        return []
    c = messages.c
    by_id = {r.message: r for r in results}
    query = select(c.id, c.fence, c.state, c.lead_id, c.kind).where(among(c.id, by_id)).order_by(c.id)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()  # its lease may be ending in another worker's transaction
    rows = tx.execute(query).all()
    written = [
        by_id[id_]
        for id_, fence, state, _, _ in rows
        if (fence == by_id[id_].fence and state in ("claimed", "sending"))
        or (state == "unknown" and by_id[id_].state == "sent")
    ]
    _SETTLE.run(
        tx,
        [
            (r.message, r.state, r.reason, r.due, r.at if r.state in ("sent", "unknown") else None, r.answer)
            for r in written
        ],
    )
    _END_ATTEMPT.run(
        tx,
        [(r.message, r.fence, r.at, r.phase, r.code, r.enhanced, r.text, r.outcome or r.state) for r in results],
    )
    _forget_bodies(tx, [r.message for r in written if r.state not in ("pending", "unknown")])
    _forget_answers(tx, [row.id for row in rows if row.lead_id is None and row.kind in (MAIL, CONFIRM, RIGHT)])
    return written


def leads_of(tx: Transaction, message_ids: Collection[int]) -> dict[int, int]:
    """Whose these messages are now: a merge makes them another lead's, an erasure nobody's."""
    if not message_ids:
        return {}
    c = messages.c
    query = select(c.id, c.lead_id).where(among(c.id, message_ids), c.lead_id.is_not(None))
    return {row[0]: row[1] for row in tx.execute(query)}


def _forget_bodies(tx: Transaction, ended: Sequence[int]) -> None:
    """The bytes were kept to be sent again; these never are."""
    if ended:
        c = messages.c
        tx.execute(update(messages).where(among(c.id, ended), c.body.is_not(None)).values(body=None))


def _forget_answers(tx: Transaction, erased: Sequence[int]) -> None:
    """What a server answered about somebody who was erased meanwhile may repeat the address (trust C24)."""
    if erased:
        tx.execute(update(attempts).where(attempts.c.message_id.in_(erased)).values(text=None))
        tx.execute(update(messages).where(messages.c.id.in_(erased)).values(reason=None, answer=None))


def remove(tx: Transaction, message_ids: Sequence[int]) -> None:
    """These are gone, with their attempts, as if they had never been."""
    if message_ids:
        tx.execute(delete(attempts).where(attempts.c.message_id.in_(message_ids)))
        tx.execute(delete(messages).where(messages.c.id.in_(message_ids)))


def listed(tx: Transaction, state: str | None = None, limit: int = 1_000) -> list[dict[str, Any]]:
    """Messages as `nurture outbox list` shows them, newest first."""
    c = messages.c
    query = (
        select(
            c.id,
            func.coalesce(c.recipient, leads.c.email).label("address"),
            c.template,
            c.state,
            c.reason,
            c.campaign,
            c.step,
            c.kind,
            c.released_at,
            c.sent_at,
            c.attempts,
        )
        .select_from(messages.outerjoin(leads, leads.c.id == c.lead_id))
        .order_by(c.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(c.state == state)
    return [dict(row._mapping) for row in tx.execute(query)]


def resolve(tx: Transaction, message: int, verdict: str, now: datetime) -> bool:
    """A person says what became of an unknown message: `sent`, or `resend` (the same Message-ID). False where it is not
    unknown."""
    c = messages.c
    values: dict[str, Any] = (
        {"state": "sent", "reason": "resolved by a person"}
        if verdict == "sent"
        else {"state": "pending", "due": now, "sent_at": None, "reason": None, "expires_at": None}
    )
    return tx.execute(update(messages).where(c.id == message, c.state == "unknown").values(**values)).rowcount == 1

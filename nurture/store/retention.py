"""What has been kept long enough, by kind; the rows a dry run counts are the rows a run takes (trust C26).

Events that something still waits for stay: those a timer or an open enrollment stands on, and those not yet reacted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, null, or_, select, update

from nurture.store.database import Transaction
from nurture.store.tables import (
    attempts,
    consents,
    deals,
    decisions,
    enrollments,
    events,
    hits,
    identities,
    imports,
    leads,
    messages,
    privacy_actions,
    timers,
)

_DONE = ("sent", "failed", "cancelled")
_OPEN = ("waiting", "parked")
_PAGE = 1_000
Going = Select[int]


def _events(before: datetime) -> ColumnElement[bool]:
    c = events.c
    timed = exists().where(timers.c.event_id == c.id)
    opened = exists().where(enrollments.c.entry_event == c.id, enrollments.c.state.in_(_OPEN))
    return and_(c.accepted_at < before, c.at < before, c.seq.is_not(None), ~timed, ~opened)


def _decisions(before: datetime) -> ColumnElement[bool]:
    standing = exists().where(enrollments.c.id == decisions.c.enrollment_id, enrollments.c.state.in_(_OPEN))
    return and_(decisions.c.at < before, ~standing)


def _messages(before: datetime) -> ColumnElement[bool]:
    """The text and what was written for it; that a mail went out stays, for counts and caps."""
    c = messages.c
    filled = or_(c.body.is_not(None), c.recipient.is_not(None))
    return and_(c.released_at < before, c.state.in_(_DONE), filled)


def _attempts(before: datetime) -> ColumnElement[bool]:
    return and_(attempts.c.started_at < before, attempts.c.text.is_not(None))


def _imports(before: datetime) -> ColumnElement[bool]:
    return and_(imports.c.ended_at.is_not(None), imports.c.ended_at < before)


def _hits(before: datetime) -> ColumnElement[bool]:
    old: ColumnElement[bool] = hits.c.at < before
    return old


def _requests(before: datetime) -> ColumnElement[bool]:
    old: ColumnElement[bool] = privacy_actions.c.at < before
    return old


_ROWS: dict[str, list[tuple[Table, Callable[[datetime], ColumnElement[bool]]]]] = {
    "events": [(events, _events), (hits, _hits)],
    "decisions": [(decisions, _decisions)],
    "imports": [(imports, _imports)],
    "requests": [(privacy_actions, _requests)],
}
_EMPTIED: dict[str, tuple[Table, Callable[[datetime], ColumnElement[bool]], tuple[str, ...]]] = {
    "messages": (messages, _messages, ("body", "recipient")),
    "attempts": (attempts, _attempts, ("text",)),
}


def count(tx: Transaction, kind: str, before: datetime, going: Sequence[Going] = ()) -> int:
    """How many rows of this kind were kept long enough; those of people who go themselves are not counted."""
    if kind in _EMPTIED:
        table, old, _ = _EMPTIED[kind]
        return _count(tx, table, old(before), going)
    return sum(_count(tx, table, old(before), going) for table, old in _ROWS[kind])


def _count(tx: Transaction, table: Table, old: ColumnElement[bool], going: Sequence[Going]) -> int:
    query = select(func.count()).select_from(table).where(old)
    if table is attempts:
        query = query.join(messages, messages.c.id == attempts.c.message_id)
    if table is not imports:
        lead = messages.c.lead_id if table is attempts else table.c.lead_id
        query = query.where(*(or_(lead.is_(None), lead.not_in(people)) for people in going))
    return int(tx.execute(query).scalar_one())


def take(tx: Transaction, kind: str, before: datetime) -> int:
    """Delete, or empty, one page of them. How many; fewer than a page is the end."""
    if kind in _EMPTIED:
        table, old, columns = _EMPTIED[kind]
        page = select(table.c.id).where(old(before)).order_by(table.c.id).limit(_PAGE)
        ids = list(tx.execute(page).scalars())
        tx.execute(update(table).where(table.c.id.in_(ids)).values(dict.fromkeys(columns, null())))
        return len(ids)
    done = 0
    for table, old in _ROWS[kind]:
        page = select(table.c.id).where(old(before)).order_by(table.c.id).limit(_PAGE)
        ids = list(tx.execute(page).scalars())
        tx.execute(delete(table).where(table.c.id.in_(ids)))
        done += len(ids)
    return done


def never_confirmed(before: datetime) -> Going:
    """Leads that asked for something before then, never confirmed it, and are here for no other reason (trust C7)."""
    c = leads.c
    asked = exists().where(consents.c.lead_id == c.id, consents.c.state == "requested", consents.c.since < before)
    agreed = exists().where(
        consents.c.lead_id == c.id, or_(consents.c.state != "requested", consents.c.since >= before)
    )
    known = exists().where(identities.c.lead_id == c.id, identities.c.kind == "external")
    return select(c.id).where(asked, ~agreed, ~known, ~_needed(), c.external_id.is_(None))


def out_of_touch(before: datetime) -> Going:
    """Leads of whom nothing was heard, and who were not changed, since then, and whom nothing open needs."""
    c = leads.c
    heard = exists().where(events.c.lead_id == c.id, events.c.accepted_at >= before, events.c.source != "engine")
    said = exists().where(consents.c.lead_id == c.id, consents.c.since >= before)
    return select(c.id).where(c.changed_at < before, c.created_at < before, ~heard, ~said, ~_needed())


def page_of(tx: Transaction, going: Going, after: int) -> list[int]:
    """The next leads of these, by id."""
    page = going.where(leads.c.id > after).order_by(leads.c.id).limit(_PAGE)
    return [row[0] for row in tx.execute(page)]


def people(tx: Transaction, going: Going, besides: Sequence[Going] = ()) -> int:
    """How many leads these are, but for those who go anyway."""
    query = going.where(*(leads.c.id.not_in(others) for others in besides)).subquery()
    return int(tx.execute(select(func.count()).select_from(query)).scalar_one())


def _needed() -> ColumnElement[bool]:
    """An open deal, an open enrollment, or a mail under way."""
    c = leads.c
    return or_(
        exists().where(deals.c.lead_id == c.id, deals.c.outcome == "open"),
        exists().where(enrollments.c.lead_id == c.id, enrollments.c.state.in_(_OPEN)),
        exists().where(messages.c.lead_id == c.id, messages.c.state.in_(("pending", "claimed", "sending"))),
    )

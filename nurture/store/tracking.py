"""Counted links of mails, and the clicks and openings that came in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import delete, exists, func, insert, select, update

from nurture.lead.consent import OPEN_DATE, TRACKING
from nurture.lead.lead import OPENED_ON
from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import consents, hits, leads, message_links, messages


@dataclass(frozen=True, slots=True)
class Mailed:
    """The mail of a link; `lead` is None once they were erased."""

    message: int
    lead: int | None
    sent_at: datetime | None
    template: str | None
    step: str | None
    campaign: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    id: int
    lead: int
    message: int
    kind: str
    position: int | None
    at: datetime
    visitor: str | None


def agreed(tx: Transaction, lead_ids: Sequence[int], now: datetime) -> dict[int, frozenset[str]]:
    """Which kinds of counting each of these agreed to, as of now; those restricted to none."""
    c = consents.c
    query = (
        select(c.lead_id, c.topic, c.expires_at)
        .join(leads, leads.c.id == c.lead_id)
        .where(c.lead_id.in_(lead_ids), c.topic.in_(TRACKING), c.state == "granted", leads.c.restricted.is_(False))
    )
    found: dict[int, frozenset[str]] = {}
    for lead, purpose, expires_at in tx.execute(query):
        if expires_at is None or expires_at > now:
            found[lead] = found.get(lead, frozenset()) | {purpose}
    return found


def counted(
    tx: Transaction, mode: bool | Literal["hygiene_only"], lead_ids: Sequence[int], now: datetime
) -> dict[int, frozenset[str]]:
    """What may be counted of each of these now, in the project's mode: kinds they agreed to; or, for the day of the
    last opening alone, openings of everybody who did not object and is not restricted."""
    if mode != "hygiene_only":
        return agreed(tx, lead_ids, now) if mode else {}
    c = consents.c
    objected = exists().where(c.lead_id == leads.c.id, c.topic == OPEN_DATE, c.state.in_(("withdrawn", "objected")))
    query = select(leads.c.id).where(leads.c.id.in_(lead_ids), leads.c.restricted.is_(False), ~objected)
    return {lead: frozenset({"tracking_opens"}) for lead in tx.execute(query).scalars()}


def keep_open_date(tx: Transaction, lead: int, day: date) -> None:
    """The lead last opened a mail that day; the day before it is forgotten. Nothing else of it is kept: no instant, no
    event, not even that the lead changed."""
    held = tx.execute(select(leads.c.attributes).where(leads.c.id == lead).with_for_update()).scalar()
    if held is not None and held.get(OPENED_ON) != day.isoformat():
        values = {"attributes": {**held, OPENED_ON: day.isoformat()}}
        tx.execute(update(leads).where(leads.c.id == lead).values(**values))


def forget_open_date(tx: Transaction, lead: int) -> None:
    """The lead objected to that."""
    held = tx.execute(select(leads.c.attributes).where(leads.c.id == lead).with_for_update()).scalar() or {}
    if OPENED_ON in held:
        values = {"attributes": {name: value for name, value in held.items() if name != OPENED_ON}}
        tx.execute(update(leads).where(leads.c.id == lead).values(**values))


def keep_links(tx: Transaction, pages: Mapping[int, Sequence[str]]) -> None:
    """Where the links of these mails lead; a mail printed anew has its new ones."""
    told = {message: links for message, links in pages.items() if links}
    if told:
        tx.execute(delete(message_links).where(message_links.c.message_id.in_(list(told))))
        rows = [
            {"message_id": m, "position": n, "url": url} for m, links in told.items() for n, url in enumerate(links)
        ]
        insert_rows(tx, message_links, rows)


def page_of(tx: Transaction, message: int, position: int) -> str | None:
    """Where this link leads."""
    c = message_links.c
    found: str | None = tx.execute(select(c.url).where(c.message_id == message, c.position == position)).scalar()
    return found


def mailed(tx: Transaction, message: int) -> Mailed | None:
    c = messages.c
    query = select(c.id, c.lead_id, c.sent_at, c.template, c.step, c.campaign).where(c.id == message)
    row = tx.execute(query).first()
    return None if row is None else Mailed(*row)


def keep_hit(
    tx: Transaction,
    mail: Mailed,
    kind: str,
    position: int | None,
    at: datetime,
    visitor: str | None,
    suspected: str | None,
) -> None:
    """Store it raw; what is not suspected waits to be counted."""
    row = {
        "lead_id": mail.lead,
        "message_id": mail.message,
        "kind": kind,
        "position": position,
        "at": at,
        "visitor": visitor,
        "suspected_bot": suspected,
        "counted": suspected is not None,
    }
    tx.execute(insert(hits).values(**row))


def uncounted(tx: Transaction, before: datetime, limit: int) -> list[Hit]:
    """Hits from before then that nobody has judged yet, oldest first."""
    c = hits.c
    query = select(c.id, c.lead_id, c.message_id, c.kind, c.position, c.at, c.visitor)
    query = query.where(c.counted.is_(False), c.at <= before).order_by(c.id).limit(limit)
    return [Hit(*row) for row in tx.execute(query)]


def clicked_around(tx: Transaction, hit: Hit, since: datetime, until: datetime) -> int:
    """How many different links of the mail the same visitor followed in that time."""
    c = hits.c
    query = select(func.count(c.position.distinct())).where(
        c.message_id == hit.message, c.kind == "click", c.visitor == hit.visitor, c.at.between(since, until)
    )
    return int(tx.execute(query).scalar_one())


def judge(tx: Transaction, ids: Iterable[int], suspected: str | None) -> None:
    """These are counted, or taken for a machine's."""
    tx.execute(update(hits).where(hits.c.id.in_(list(ids))).values(counted=True, suspected_bot=suspected))


def mark(tx: Transaction, message: int, kind: str, at: datetime) -> None:
    """The mail was clicked or opened, first at that instant."""
    column = "clicked_at" if kind == "click" else "opened_at"
    tx.execute(update(messages).where(messages.c.id == message, messages.c[column].is_(None)).values(**{column: at}))

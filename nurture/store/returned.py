"""Mails that something was heard of after they left."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import func, or_, select, update

from nurture.store.database import Transaction
from nurture.store.outbox import CONFIRM, MAIL
from nurture.store.tables import campaigns, messages


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message that left, or may have."""

    id: int
    kind: str
    state: str
    lead: int | None
    template: str | None
    step: str | None
    campaign: str | None
    topic: str | None
    sent_at: datetime | None
    enrollment: int | None
    mailed_to: str | None  # keyed hash of the address it left for


_NAMED = {"lead": "lead_id", "enrollment": "enrollment_id"}
_SENT = [messages.c[_NAMED.get(f.name, f.name)] for f in fields(SentMail)]
_LOOKED_AT = 200_000  # rows of the outbox
_FIRST = {"bounced": messages.c.bounced_at, "complained": messages.c.complained_at, "replied": messages.c.replied_at}


def find(tx: Transaction, message: int) -> SentMail | None:
    """The mail of this number; None where there is none, or nothing of it was ever on the wire."""
    c = messages.c
    left = or_(c.attempts > 0, c.state.in_(("sent", "unknown", "failed")))
    row = tx.execute(select(*_SENT).where(c.id == message, left).with_for_update()).first()
    return None if row is None else SentMail(*row)


def mark_once(tx: Transaction, message: int, what: str, at: datetime, *, bounce: str | None = None) -> bool:
    """Note that it bounced, was complained about or replied to; False where that was noted before (trust E24)."""
    column = _FIRST[what]
    values = {column.name: at} | ({"bounce": bounce} if bounce is not None else {})
    return tx.execute(update(messages).where(messages.c.id == message, column.is_(None)).values(values)).rowcount == 1


def settle_unknown(tx: Transaction, message: int) -> bool:
    """unknown → sent: a report proves that the server took it (trust E18). Whether it was unknown."""
    c = messages.c
    statement = update(messages).where(c.id == message, c.state == "unknown").values(state="sent", reason=None)
    return tx.execute(statement).rowcount == 1


@dataclass(frozen=True, slots=True)
class Tally:
    """How a campaign's latest mails fared."""

    sent: int
    hard: int
    complaints: int


def tallies(tx: Transaction, since: datetime, latest: int) -> dict[str, Tally]:
    """By campaign, of the mails that left since then (and since the guard paused it), `latest` at most: how many came
    back for good, how many were called spam. A mail that was refused at once is one that left. Only the newest rows of
    the outbox are looked at, by its primary key: years of mails are not read once a minute."""
    c = messages.c
    left = or_(c.state.in_(("sent", "unknown")), c.bounced_at.is_not(None))
    rank = func.row_number().over(partition_by=c.campaign, order_by=c.id.desc()).label("rank")
    newest = select(func.coalesce(func.max(c.id), 0)).scalar_subquery()
    page = (
        select(c.campaign, c.bounce, c.complained_at, rank)
        .join(campaigns, campaigns.c.name == c.campaign)
        .where(c.id > newest - _LOOKED_AT, c.kind.in_((MAIL, CONFIRM)), c.released_at >= since, left)
        .where(campaigns.c.guarded_at.is_(None) | (c.released_at > campaigns.c.guarded_at))
        .subquery()
    )
    query = (
        select(
            page.c.campaign,
            func.count(),
            func.count().filter(page.c.bounce == "hard"),
            func.count(page.c.complained_at),
        )
        .where(page.c.rank <= latest)
        .group_by(page.c.campaign)
    )
    return {row[0]: Tally(*row[1:]) for row in tx.execute(query)}

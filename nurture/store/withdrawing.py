"""What a withdrawal stops at once: mails that wait, enrollments that stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, update

from nurture.lead.lead import LeadId
from nurture.store import outbox
from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import decisions, enrollments, messages, timers


def stop(
    tx: Transaction,
    lead: LeadId,
    topic: str | None,
    ends_on: Mapping[tuple[str, str], str],
    reason: str,
    now: datetime,
) -> list[str]:
    """No mail on this topic (None: no marketing) leaves any more, and enrollments that the topic's withdrawal ends are
    ended; the campaigns of those. What is on the wire goes out (S24).

    `ends_on` maps (campaign, version) to the topic whose withdrawal ends it.
    """
    c = messages.c
    of_topic: ColumnElement[bool] = and_(c.kind == outbox.MAIL, c.service.is_(False)) | (c.kind == outbox.CONFIRM)
    if topic is not None:
        of_topic = of_topic & (c.topic == topic)
    tx.execute(
        update(messages)
        .where(c.lead_id == lead, c.state.in_(("pending", "claimed")), of_topic)
        .values(state="cancelled", reason=reason, fence=c.fence + 1, lease_until=None)
    )
    return _end(tx, lead, topic, ends_on, reason, now)


def _end(
    tx: Transaction,
    lead: LeadId,
    topic: str | None,
    ends_on: Mapping[tuple[str, str], str],
    reason: str,
    now: datetime,
) -> list[str]:
    c = enrollments.c
    query = select(c.id, c.campaign, c.version, c.step).where(c.lead_id == lead, c.state.in_(("waiting", "parked")))
    leaving = {
        row.id: row
        for row in tx.execute(query.order_by(c.id).with_for_update())
        if (its := ends_on.get((row.campaign, row.version))) is not None and topic in (None, its)
    }
    if not leaving:
        return []
    tx.execute(
        update(enrollments)
        .where(c.id.in_(list(leaving)))
        .values(state="exited", reason=reason, ended_at=now, wake=None, held=None, revision=c.revision + 1)
    )
    outbox.cancel(tx, dict.fromkeys(leaving, reason))
    tx.execute(delete(timers).where(timers.c.owner.in_([f"enrollment:{id_}" for id_ in leaving])))
    rows = [
        {
            "lead_id": lead,
            "enrollment_id": id_,
            "campaign": leaving[id_].campaign,
            "version": leaving[id_].version,
            "step": leaving[id_].step,
            "at": now,
            "what": "ended",
            "reason": f"exit({reason})",
            "inputs": None,
        }
        for id_ in leaving
    ]
    insert_rows(tx, decisions, rows)
    return [row.campaign for row in leaving.values()]


def readdress(tx: Transaction, lead: LeadId, lane: str, now: datetime) -> int:
    """The lead has a new address: what waits becomes a new mail, to be asked for anew at the wire (S29); how many.

    The row keeps its place in the enrollment; its identity, its rendered bytes and whoever had claimed it are gone.
    """
    c = messages.c
    mine = update(messages).where(c.lead_id == lead, c.kind.in_((outbox.MAIL, outbox.CONFIRM, outbox.RIGHT)))
    # What is on the wire goes out as it is; should it have to go once more, then to the new address.
    tx.execute(mine.where(c.state.in_(("sending", "unknown"))).values(lane=lane, body=None))
    return tx.execute(
        mine.where(c.state.in_(("pending", "claimed"))).values(
            state="pending",
            lane=lane,
            due=now,
            attempts=0,
            fence=c.fence + 1,
            lease_until=None,
            mail_id=None,
            dated=None,
            sha256=None,
            body=None,
            reason="new address",
        )
    ).rowcount

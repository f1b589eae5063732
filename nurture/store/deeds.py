"""What people and other systems did in a time, read from a live database to be played again.

What campaigns and rules did is left out: the engine does it anew. So are mails that really went out, and what came of
them. Fields and tags have no history, so a change of them that says no value of then is left out too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from nurture.lead.consent import ALL_MARKETING
from nurture.store.database import Transaction
from nurture.store.past import HEARD, STATE_AFTER, Past, instant_of, ledger_entries, read
from nurture.store.tables import deal_moves, deals, decisions, events, stage_moves


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a person or another system did: `at` it happened, `told` it was heard of."""

    lead: int
    name: str
    at: datetime
    told: datetime
    properties: Mapping[str, Any]
    order: tuple[int, int]  # between what was heard of at one instant


_TODAY = ("email", "tag", "untag", "account")  # fields of a lead that are as they are today
_OF_CAMPAIGNS = ("set", "tagged", "untagged", "assigned", "deal_opened", "deal_moved")
_BY_OTHERS = ("person", "api", "import")
_RECYCLED = "recycled from"  # engine.deals
_SAYS = {"requested": "requested", "granted": "granted", "expired": "expired", "objected": "objected"}


def deeds(live: Transaction, past: Past, until: datetime) -> list[Deed]:
    """What was done from the instant of that past on until then, in order: leads made, events, forms, changed fields,
    consent, stages moved by hand, deals."""
    theirs = _of_campaigns(live, past.since)
    found = [
        *(Deed(lead, "lead.created", past.born[lead], past.born[lead], {}, (0, lead)) for lead in past.newcomers),
        *_said(live, past.since, theirs),
        *_consent(live, past.since),
        *_moves(live, past.since),
        *_deals(live, past.since, theirs),
    ]
    here = [d for d in found if d.lead in past.names and past.since <= d.told <= until]
    return sorted(here, key=lambda d: (d.told, d.order))


def _of_campaigns(live: Transaction, since: datetime) -> set[tuple[int, datetime]]:
    """(lead, instant) at which campaigns changed what otherwise only people and other systems do."""
    c = decisions.c
    query = select(c.lead_id, c.at).where(c.what.in_(_OF_CAMPAIGNS), c.at >= since)
    return {(row[0], row[1]) for row in read(live, query)}


def _said(live: Transaction, since: datetime, theirs: set[tuple[int, datetime]]) -> Iterator[Deed]:
    """The project's own events, forms, enrollments by hand, fields that were changed."""
    c = events.c
    own = or_(c.name.not_like("%.%"), c.name.in_(("form.submitted", "lead.changed", "enroll.requested")))
    columns = (c.id, c.lead_id, c.name, c.at, HEARD.label("told"), c.properties)
    forms: set[tuple[int, datetime]] = set()
    changed: list[Deed] = []
    for id_, lead, name, at, told, properties in read(live, select(*columns).where(own, since <= HEARD).order_by(c.id)):
        deed = Deed(lead, name, at, told, properties, (1, id_))
        if name != "lead.changed":
            yield deed
        elif kept := {n: value for n, value in properties.items() if n not in _TODAY}:
            changed.append(Deed(lead, name, at, told, kept, (1, id_)))
        if name == "form.submitted":
            forms.add((lead, told))
    # A form sets its fields by itself when it is played.
    yield from (d for d in changed if (d.lead, d.told) not in forms and (d.lead, d.told) not in theirs)


def _consent(live: Transaction, since: datetime) -> Iterator[Deed]:
    for n, entry in enumerate(ledger_entries(live)):
        state = STATE_AFTER.get(entry.event)
        if state is None or entry.method == "campaign" or (at := instant_of(entry)) < since:
            continue
        topic = {"topic": entry.topic or ALL_MARKETING}
        yield Deed(entry.lead_id, f"consent.{_SAYS.get(state, 'withdrawn')}", entry.occurred_at, at, topic, (0, n))


def _moves(live: Transaction, since: datetime) -> Iterator[Deed]:
    """Stages that people, other systems and imports moved leads to, and deals that were lost long ago."""
    c = stage_moves.c
    others = or_(c.cause.in_(_BY_OTHERS), c.reason.like(f"{_RECYCLED}%"))
    for id_, lead, stage, at, reason in read(
        live, select(c.id, c.lead_id, c.to_stage, c.at, c.reason).where(others, c.at >= since)
    ):
        yield Deed(lead, "stage.entered", at, at, {"stage": stage, "reason": reason}, (2, id_))


def _deals(live: Transaction, since: datetime, theirs: set[tuple[int, datetime]]) -> Iterator[Deed]:
    c, m = deals.c, deal_moves.c
    known: dict[int, tuple[int, str, datetime | None]] = {}
    for row in live.execute(select(deals).order_by(c.id)).mappings():
        lead, pipeline, opened, closed = row["lead_id"], row["pipeline"], row["opened_at"], row["closed_at"]
        known[row["id"]] = (lead, pipeline, opened)
        if opened is not None and opened >= since and (lead, opened) not in theirs:
            said = {"pipeline": pipeline, "amount": row["amount"], "owner": row["owner"]}
            yield Deed(lead, "deal.opened", opened, opened, said, (3, row["id"]))
        if (
            closed is not None
            and closed >= since
            and row["outcome"] in ("won", "lost")
            and (lead, closed) not in theirs
        ):
            said = {"pipeline": pipeline, "reason": row["reason"]}
            yield Deed(lead, f"deal.{row['outcome']}", closed, closed, said, (5, row["id"]))
    for id_, deal, to, at in live.execute(select(m.id, m.deal_id, m.to_stage, m.at).where(m.at >= since)):
        lead, pipeline, opened = known[deal]
        if at != opened and (lead, at) not in theirs:  # the first move is the opening itself
            yield Deed(lead, "deal.moved", at, at, {"pipeline": pipeline, "stage": to}, (4, id_))

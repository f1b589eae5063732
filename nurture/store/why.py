"""Everything that was decided about one lead, or about all leads of a campaign, for `nurture why`. Only reads.

Of one lead the statements are as many whatever its history, and each goes by an index from the lead.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from nurture.lead.lead import LeadId
from nurture.store.acceptance import COLUMNS, Arrival
from nurture.store.database import Transaction
from nurture.store.enrollments import OPEN, Entry
from nurture.store.tables import decisions, enrollments, events, messages
from nurture.store.timeline import Line

KEPT = ("not_entered", "refused", "skipped")  # what was decided against; ix_decisions_kept holds these


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the version it was made under."""

    line: Line
    version: str | None


@dataclass(frozen=True, slots=True)
class Mailed:
    """What became of a message after it was released."""

    id: int
    lead: int | None
    enrollment: int | None
    step: str | None
    kind: str
    template: str | None
    state: str
    reason: str | None
    released_at: datetime
    sent_at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Stands:
    """An open enrollment: on which step, until when it is not looked at, and why."""

    id: int
    campaign: str
    version: str
    key: str
    state: str
    step: str | None
    due: datetime | None
    wake: datetime | None
    held: str | None
    error: str | None


_MAILED = (
    *("id", "lead_id", "enrollment_id", "step", "kind", "template", "state", "reason", "released_at", "sent_at"),
    "attempts",
)
_STANDS = ("id", "campaign", "version", "key", "state", "step", "due", "wake", "held", "error")


def decisions_about(
    tx: Transaction,
    lead: LeadId,
    campaign: str | None = None,
    *,
    since: datetime | None = None,
    enrollment: int | None = None,
    limit: int | None = None,
) -> list[Decided]:
    """The latest of them, in the order they were made. Uses ix_decisions_lead_id."""
    c = decisions.c
    query = select(c.at, c.what, c.reason, c.inputs, c.campaign, c.step, c.enrollment_id, c.version, c.id)
    query = query.where(c.lead_id == lead).order_by(c.id.desc()).limit(limit)
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    if since is not None:
        query = query.where(c.at >= since)
    if enrollment is not None:
        query = query.where(c.enrollment_id == enrollment)
    found = []
    for at, what, reason, inputs, name, step, enrolled, version, id_ in tx.execute(query):
        inputs = inputs or {}
        line = Line(at, lead, what, reason, inputs.get("detail"), name, step, enrolled, inputs)
        found.append((at, id_, Decided(line, version)))
    return [one for _, _, one in sorted(found, key=lambda row: row[:2])]


def messages_to(tx: Transaction, lead: LeadId, since: datetime) -> list[Mailed]:
    """Messages about the lead released since then, oldest first. Uses ix_messages_lead_released."""
    c = messages.c
    query = select(*(c[name] for name in _MAILED)).where(c.lead_id == lead, c.released_at >= since)
    return [Mailed(*row) for row in tx.execute(query.order_by(c.released_at, c.id))]


def find_message(tx: Transaction, ref: str) -> Mailed | None:
    """A message by its number, or by its Message-ID, with brackets or without; both begin with the number."""
    c = messages.c
    text = ref.strip().strip("<>").lower()
    number, dot, _ = text.partition(".")
    try:
        id_ = int(number, 36 if dot else 10)
    except ValueError:
        return None
    query = select(*(c[name] for name in _MAILED)).where(c.id == id_)
    row = tx.execute(query.where(func.lower(c.mail_id) == text) if dot else query).first()
    return None if row is None else Mailed(*row)


def standing(tx: Transaction, lead: LeadId, campaign: str | None = None) -> list[Stands]:
    """The lead's open enrollments. Uses ix_enrollments_lead_id."""
    c = enrollments.c
    query = select(*(c[name] for name in _STANDS)).where(c.lead_id == lead, c.state.in_(OPEN))
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    return [Stands(*row) for row in tx.execute(query.order_by(c.id))]


def entries_of(tx: Transaction, lead: LeadId) -> dict[str, list[Entry]]:
    """Every time the lead entered a campaign, by campaign. Uses ix_enrollments_lead_id."""
    c = enrollments.c
    found: dict[str, list[Entry]] = defaultdict(list)
    query = select(c.campaign, c.key, c.entered_at, c.state).where(c.lead_id == lead).order_by(c.entered_at, c.id)
    for campaign, key, entered_at, state in tx.execute(query):
        found[campaign].append(Entry(key, entered_at, state in OPEN))
    return found


def newest_event(tx: Transaction, lead: LeadId, name: str) -> Arrival | None:
    """The lead's latest event of that name; `any`: of the project's own. Uses ix_events_lead_name_at."""
    c = events.c
    named = c.name.not_like("%.%") if name == "any" else c.name == name
    query = select(*COLUMNS).where(c.lead_id == lead, named, c.seq.is_not(None))
    row = tx.execute(query.order_by(c.at.desc(), c.seq.desc()).limit(1)).first()
    return None if row is None else Arrival(*row)


# --- a campaign


@dataclass(frozen=True, slots=True)
class Count:
    """So often this came of it, over all leads. `about` is the template or step that it concerns."""

    what: str
    reason: str | None
    about: str | None
    count: int


def came_of(tx: Transaction, campaign: str) -> list[Count]:
    """How enrollments of the campaign stand or ended, what became of its mails, and what was decided against, by
    reason. Three statements; what was decided against goes by ix_decisions_kept."""
    e, m, d = enrollments.c, messages.c, decisions.c
    state = func.coalesce(e.reason, "")
    ended = select(e.state, state, func.count()).where(e.campaign == campaign).group_by(e.state, state)
    left = select(m.template, m.state, func.count()).where(m.campaign == campaign, m.kind == "mail")
    kept = select(d.what, d.reason, d.step, func.count()).where(d.campaign == campaign, d.what.in_(KEPT))
    found = [Count("enrollment", _words(*row[:2]), None, row[2]) for row in tx.execute(ended)]
    found += [Count("mail", row[1], row[0], row[2]) for row in tx.execute(left.group_by(m.template, m.state))]
    found += [Count(*row) for row in tx.execute(kept.group_by(d.what, d.reason, d.step))]
    return sorted(found, key=lambda one: (one.what, one.about or "", -one.count, one.reason or ""))


def _words(state: str, reason: str) -> str:
    return f"{state} ({reason})" if reason and state in ("exited", "failed") else state

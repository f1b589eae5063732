"""What a lead did, taken in as if a page, the API or a mail provider had told it: effect and event together.

For scripts (campaign tests, the simulator, the backtest) that say `consent.granted` or `stage.entered` and mean the
thing itself. The project's own events are only stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nurture.engine import consent, deals, stages
from nurture.engine.recording import is_late
from nurture.engine.turn import Turn
from nurture.journey.timing import read_moment
from nurture.lead.consent import Declaration, Proof
from nurture.lead.event import FORM_SUBMITTED, LEAD_CHANGED, Happening
from nurture.lead.lead import split_traits, typed_fields
from nurture.store import changes, marks
from nurture.store.events import store_events

ENROLL = "enroll"  # of no event: what a script writes for an entry by hand
TEST = Proof(method="double_opt_in", source="script", evidence={"script": True})


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened to a lead, and when it was told; `at` None: then."""

    lead: int
    name: str
    now: datetime
    properties: Mapping[str, Any]
    at: datetime | None = None


def take(turn: Turn, told: Sequence[Told]) -> None:
    """Make these true, in order. Own events are stored in bulk, the engine's one by one."""
    turn.load(t.lead for t in told)
    plain: list[Happening] = []
    for t in told:
        if "." in t.name or t.name == ENROLL:
            store_events(turn.tx, plain)
            plain = []
            _take(turn, t)
        else:
            plain.append(_happening(turn, t))
    store_events(turn.tx, plain)


def _happening(turn: Turn, t: Told) -> Happening:
    at = t.at or t.now
    late = is_late(at, turn.live.project, t.now)
    return Happening(t.lead, t.name, at, t.now, t.properties, fact=late, source="script")


def _take(turn: Turn, t: Told) -> None:
    kind, _, what = t.name.partition(".")
    match kind, what:
        case "consent", _:
            _consent(turn, t, what)
        case "lead", "changed":
            change_fields(turn, t.lead, t.properties, t.now)
            turn.flush()
        case "form", "submitted":
            submit_form(turn, t)
        case "stage", "entered":
            stages.move(
                turn,
                t.lead,
                str(t.properties.get("stage")),
                at=t.now,
                cause="person",
                reason=str(t.properties.get("reason") or "script"),
            )
            turn.flush()
        case "mail", ("opened" | "clicked" | "bounced" | "replied"):
            found = marks.mark_mail(turn.tx, t.lead, str(t.properties.get("mail") or "any"), what, t.at or t.now)
            store_events(turn.tx, [_happening(turn, replace(t, properties={**t.properties, **found}))])
        case "deal", _:
            _deal(turn, t, what)
        case "enroll", _:
            store_events(turn.tx, [_happening(turn, replace(t, name="enroll.requested"))])
        case _:
            store_events(turn.tx, [_happening(turn, t)])


def _consent(turn: Turn, t: Told, what: str) -> None:
    topic = str(t.properties.get("topic"))
    granted = marks.consent_state(turn.tx, t.lead, topic) == "granted"
    actions = {"requested": "request", "expired": "expire", "objected": "object"}
    action = ("renew" if granted else "grant") if what == "granted" else actions.get(what, "withdraw")
    said = Declaration(
        lead=t.lead,
        topic=topic,
        action=action,  # type: ignore[arg-type]
        by="person",
        actor="script",
        occurred_at=t.at or t.now,
        proof=TEST,
    )
    consent.change(turn.tx, [said], turn.live.consent_rules, t.now)


def change_fields(turn: Turn, lead: int, fields: Mapping[str, Any], now: datetime) -> None:
    """Set fields of a lead, typed as declared, and write `lead.changed` with what was set."""
    known = turn.leads[lead]
    columns, own = split_traits(fields)
    typed = typed_fields(turn.live.project.attributes, own, lambda text: read_moment(text, known.zone))
    changes.set_columns(turn.tx, {lead: columns})
    changes.set_attributes(turn.tx, {lead: typed})
    del turn.leads[lead]
    turn.load([lead])
    turn.emit(lead, LEAD_CHANGED, now, {**columns, **typed})


def submit_form(turn: Turn, t: Told) -> None:
    """A form's fields that are declared attributes set them; then the event."""
    fields = {n: v for n, v in t.properties.items() if n != "form" and n in turn.live.project.attributes}
    if fields:
        change_fields(turn, t.lead, fields, t.now)
        turn.flush()
    store_events(turn.tx, [_happening(turn, replace(t, name=FORM_SUBMITTED))])


def _deal(turn: Turn, t: Told, what: str) -> None:
    p = t.properties
    pipeline = str(p["pipeline"]) if p.get("pipeline") else next(iter(turn.live.project.pipelines), "")
    if what == "opened":
        deals.open_deal(turn, t.lead, pipeline, at=t.now, amount=p.get("amount"), owner=p.get("owner"))
    else:
        deal = deals.newest_open(turn, t.lead, pipeline or None)
        to = what if what in ("won", "lost") else str(p.get("stage"))
        if deal is not None:
            deals.move_deal(turn, deal, to, at=t.now, reason=p.get("reason"))
    turn.flush()

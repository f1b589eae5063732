"""What decisions do to the world: the outbox, stages, scores, fields, tags, deals, owners, consent, other campaigns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from nurture.engine import consent, deals, stages
from nurture.engine.enter import PINNED, Candidate, enter
from nurture.engine.points import add_points
from nurture.engine.turn import Turn
from nurture.funnel.pipeline import DealRefused
from nurture.funnel.stages import MoveRefused
from nurture.journey import effects as does
from nurture.journey.effects import AnyEffect
from nurture.journey.enrollment import Enrollment
from nurture.journey.timing import shift
from nurture.lead.consent import Declaration, Proof
from nurture.lead.lead import split_traits
from nurture.mail.provider import provider_of
from nurture.store import changes, outbox

Done = tuple[Enrollment, AnyEffect, datetime]


def apply(turn: Turn, done: Sequence[Done]) -> None:
    """Make these effects true, in bulk a kind. Of one enrollment they stand in their order."""
    kinds: dict[type, list[Done]] = defaultdict(list)
    for one in done:
        kinds[type(one[1])].append(one)
    outbox.insert(turn.tx, list(_messages(turn, done)))
    _assign(turn, kinds[does.AssignOwner])
    _move(turn, kinds[does.MoveStage])
    _score(turn, kinds[does.AddScore])
    _fields(turn, kinds[does.SetFields])
    _tags(turn, [*kinds[does.AddTag], *kinds[does.RemoveTag]])
    _deals(turn, [one for one in done if isinstance(one[1], (does.OpenDeal, does.MoveDeal))])
    _consent(turn, [one for one in done if isinstance(one[1], (does.RequestConsent, does.ExpireConsent))])
    enter(
        turn,
        [
            Candidate(effect.campaign, e.lead, now, now, "", None, e.entry, now)
            for e, effect, now in kinds[does.EnrollIn]
            if isinstance(effect, does.EnrollIn)
        ],
    )


def _messages(turn: Turn, done: Iterable[Done]) -> Iterable[dict[str, Any]]:
    for e, effect, now in done:
        match effect:
            case does.Release():
                yield _mail(turn, e, effect, now)
            case does.NotifyColleague():
                named = {"template": effect.template, "template_hash": turn.live.templates.get(effect.template)}
                if effect.channel is not None:
                    row = _row(turn, e, effect, now, "call", None) | {"lane": f"webhook:{effect.channel}"}
                    yield row | named | {"options": {"webhook": effect.channel}}
                for n, address in enumerate(effect.to if effect.channel is None else ()):
                    # One row a colleague: the step's key holds for the first, the others add their number.
                    step = effect.step if not n else f"{effect.step}@{n}"
                    yield _row(turn, e, effect, now, "notice", address) | named | {"step": step}
            case does.CallWebhook():
                row = _row(turn, e, effect, now, "call", None) | {"lane": f"webhook:{effect.webhook}"}
                yield row | {"options": {"webhook": effect.webhook, "body": effect.body}, "expires_at": effect.until}
            case _:
                pass


def _row(
    turn: Turn, e: Enrollment, effect: does.Effect, now: datetime, kind: str, recipient: str | None
) -> dict[str, Any]:
    return {
        "lead_id": e.lead,
        "shard": e.shard,
        "enrollment_id": e.id,
        "campaign": e.campaign,
        "version": e.version,
        "step": effect.step,
        "visit": effect.visit,
        "kind": kind,
        "template": None,
        "template_hash": None,
        "service": True,
        "topic": None,
        "recipient": recipient,
        "options": {},
        "lane": provider_of(recipient or turn.leads[e.lead].email or ""),
        "state": "pending",
        "due": now,
        "released_at": now,
        "expires_at": shift(now, turn.live.project.expires_after, turn.zone(e.lead)),
    }


def _mail(turn: Turn, e: Enrollment, effect: does.Release, now: datetime) -> dict[str, Any]:
    options = {
        "subject": effect.subject,
        "sender": effect.sender,
        "reply_to": effect.reply_to,
        "utm": effect.attach_utm or None,
        "window": None if effect.window is None else msgspec.to_builtins(effect.window),
    }
    pinned = e.data.get(PINNED, {}) if turn.live.plans[e.campaign, e.version].pin_templates else {}
    return _row(turn, e, effect, now, "mail", None) | {
        "template": effect.template,
        "template_hash": pinned.get(effect.template) or turn.live.templates.get(effect.template),
        "service": effect.service,
        "topic": effect.topic,
        "options": {name: value for name, value in options.items() if value is not None},
    }


def _assign(turn: Turn, done: Sequence[Done]) -> None:
    """In turn over the team; the turn is kept, so that it goes on over passes and workers."""
    teams: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for e, effect, now in done:
        if isinstance(effect, does.AssignOwner) and not turn.leads[e.lead].facts.owner:
            teams[effect.team].append((e.lead, now))
    for team, waiting in sorted(teams.items()):
        members = turn.live.project.teams.get(team, ())
        if not members:
            continue
        first = changes.take_turns(turn.tx, team, len(waiting))
        owners = {lead: members[(first + n) % len(members)] for n, (lead, _) in enumerate(sorted(waiting))}
        changes.set_columns(turn.tx, {lead: {"owner": owner} for lead, owner in owners.items()})
        for lead, at in waiting:
            _changed(turn, lead, at, {"owner": owners[lead]})


def _changed(turn: Turn, lead: int, at: datetime, fields: dict[str, Any]) -> None:
    turn.touch(lead, "lead")
    turn.emit(lead, "lead.changed", at, fields)


def _move(turn: Turn, done: Sequence[Done]) -> None:
    for e, effect, now in done:
        assert isinstance(effect, does.MoveStage)
        moved = stages.move(turn, e.lead, effect.stage, at=now, cause="campaign", reason=effect.reason, enrollment=e.id)
        if isinstance(moved, MoveRefused):  # another campaign moved the lead in this very pass (S20)
            turn.refuse(e, now, "move_refused", moved.code, effect.step)


def _score(turn: Turn, done: Sequence[Done]) -> None:
    earned = []
    for e, effect, now in done:
        assert isinstance(effect, does.AddScore)
        for name, points in effect.points.items():
            earned.append((e.lead, name, points, now))
            turn.emit(e.lead, "score.added", now, {"score": name, "points": points, "campaign": e.campaign})
    add_points(turn, earned)


def _fields(turn: Turn, done: Sequence[Done]) -> None:
    columns: dict[int, dict[str, Any]] = defaultdict(dict)
    attributes: dict[int, dict[str, Any]] = defaultdict(dict)
    for e, effect, now in done:
        assert isinstance(effect, does.SetFields)
        built_in, own = split_traits(effect.values)
        columns[e.lead] |= built_in
        attributes[e.lead] |= own
        _changed(turn, e.lead, now, dict(effect.values))
    changes.set_columns(turn.tx, columns)
    changes.set_attributes(turn.tx, attributes)


def _tags(turn: Turn, done: Sequence[Done]) -> None:
    added, removed = [], []
    for e, effect, now in done:
        if isinstance(effect, does.AddTag):
            added.append((e.lead, effect.tag))
            turn.emit(e.lead, "lead.changed", now, {"tag": effect.tag})
        elif isinstance(effect, does.RemoveTag):
            removed.append((e.lead, effect.tag))
            turn.emit(e.lead, "lead.changed", now, {"untag": effect.tag})
        turn.touch(e.lead, "tag")
    changes.tag(turn.tx, added, removed)


def _deals(turn: Turn, done: Sequence[Done]) -> None:
    for e, effect, now in done:
        if isinstance(effect, does.OpenDeal):
            found: object = deals.open_deal(
                turn, e.lead, effect.pipeline, at=now, amount=effect.amount, owner=effect.owner
            )
        else:
            assert isinstance(effect, does.MoveDeal)
            deal = deals.newest_open(turn, e.lead, effect.pipeline, effect.stage)
            found = (
                deals.move_deal(turn, deal, effect.stage, at=now)
                if deal is not None
                else DealRefused("no deal", "the lead has no open deal to move")
            )
        if isinstance(found, DealRefused):
            turn.refuse(e, now, "deal_refused", found.code, effect.step)


def _consent(turn: Turn, done: Sequence[Done]) -> None:
    said = [
        Declaration(
            lead=e.lead,
            topic=effect.topic,
            action="request" if isinstance(effect, does.RequestConsent) else "expire",
            by="campaign",
            actor=e.campaign,
            occurred_at=now,
            proof=Proof(method="campaign", source=f"{e.campaign}/{effect.step}"),
        )
        for e, effect, now in done
        if isinstance(effect, (does.RequestConsent, does.ExpireConsent))
    ]
    if said:
        consent.change(turn.tx, said, turn.live.consent_rules, max(now for _, _, now in done))
        for declaration in said:
            turn.touch(declaration.lead, "consent")

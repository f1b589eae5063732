"""Steps that change the lead, its deals, or tell somebody: each one effect and one line of `why`."""

from __future__ import annotations

from nurture.campaign import plan as steps
from nurture.funnel.stages import MoveRefused, judge_move
from nurture.journey import effects
from nurture.journey.walk import Walk


def move_to(walk: Walk, stage: str, reason: str | None) -> None:
    """Through the stage rules, from where this pass has brought the lead; a refusal is said, and does not stop."""
    judged = judge_move(walk.facts.project, walk.stages, stage, reason)
    if isinstance(judged, MoveRefused):
        return walk.note("move_refused", judged.code, detail=stage, text=judged.text)
    walk.do(
        effects.MoveStage(
            step=walk.step.id,
            visit=walk.visit,
            stage=stage,
            funnel=judged.funnel,
            origin=judged.origin,
            reason=reason,
        )
    )
    walk.stages = {**walk.stages, judged.funnel: stage}
    return walk.note("moved", reason, detail=stage, origin=judged.origin)


def move(walk: Walk, step: steps.Move) -> None:
    move_to(walk, step.stage, step.reason)
    walk.go(step.next)


def score(walk: Walk, step: steps.AddScore) -> None:
    walk.do(effects.AddScore(step=step.id, visit=walk.visit, points=step.points))
    walk.note("scored", points=step.points)
    walk.go(step.next)


def set_fields(walk: Walk, step: steps.SetFields) -> None:
    walk.do(effects.SetFields(step=step.id, visit=walk.visit, values=step.values))
    walk.note("set", detail=", ".join(step.values))
    walk.go(step.next)


def tag(walk: Walk, step: steps.AddTag) -> None:
    walk.do(effects.AddTag(step=step.id, visit=walk.visit, tag=step.tag_name))
    walk.note("tagged", detail=step.tag_name)
    walk.go(step.next)


def untag(walk: Walk, step: steps.RemoveTag) -> None:
    walk.do(effects.RemoveTag(step=step.id, visit=walk.visit, tag=step.tag_name))
    walk.note("untagged", detail=step.tag_name)
    walk.go(step.next)


def open_deal(walk: Walk, step: steps.OpenDeal) -> None:
    """The deal's owner is the one written, else the lead's."""
    owner = walk.facts.lead.owner if step.owner in (None, "owner") else step.owner
    walk.do(effects.OpenDeal(step=step.id, visit=walk.visit, pipeline=step.pipeline, amount=step.amount, owner=owner))
    walk.note("deal_opened", detail=step.pipeline)
    walk.go(step.next)


def move_deal(walk: Walk, step: steps.MoveDeal) -> None:
    walk.do(effects.MoveDeal(step=step.id, visit=walk.visit, stage=step.stage, pipeline=step.pipeline))
    walk.note("deal_moved", detail=step.stage)
    walk.go(step.next)


def notify(walk: Walk, step: steps.Notify) -> None:
    """To the owner (else the fallback, else nobody), a team's members, a channel, or an address."""
    project, owner = walk.facts.project, walk.facts.lead.owner
    channel = project.channels.get(step.to)
    to: tuple[str, ...] = ()
    if step.to == "owner":
        to = tuple(address for address in (owner or project.alerts.fallback,) if address)
    elif channel is None:
        to = project.teams.get(step.to, (step.to,) if "@" in step.to else ())
    if not to and channel is None:
        walk.note("not_notified", "no owner" if step.to == "owner" else "nobody there", detail=step.template)
    else:
        walk.do(effects.NotifyColleague(step=step.id, visit=walk.visit, template=step.template, to=to, channel=channel))
        walk.note("notified", detail=step.template, to=step.to)
    walk.go(step.next)


def assign(walk: Walk, step: steps.Assign) -> None:
    """The team's next becomes the owner; an owner already there stays."""
    if walk.facts.lead.owner:
        walk.note("not_assigned", "has an owner", detail=step.team)
    else:
        walk.do(effects.AssignOwner(step=step.id, visit=walk.visit, team=step.team))
        walk.note("assigned", detail=step.team)
    walk.go(step.next)


def request_consent(walk: Walk, step: steps.RequestConsent) -> None:
    walk.do(effects.RequestConsent(step=step.id, visit=walk.visit, topic=step.topic))
    walk.note("consent_requested", detail=step.topic)
    walk.go(step.next)


def expire_consent(walk: Walk, step: steps.ExpireConsent) -> None:
    walk.do(effects.ExpireConsent(step=step.id, visit=walk.visit, topic=step.topic))
    walk.note("consent_expired", detail=step.topic)
    walk.go(step.next)


def enroll(walk: Walk, step: steps.EnrollIn) -> None:
    walk.do(effects.EnrollIn(step=step.id, visit=walk.visit, campaign=step.campaign))
    walk.note("enrolled", detail=step.campaign)
    walk.go(step.next)


def leave(walk: Walk, step: steps.Leave) -> None:
    walk.finish("exited", step.reason)

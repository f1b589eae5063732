"""The release gate: whether a mail goes into the outbox now, later, or never: caps and quiet hours are
judged at release, by one lead's campaigns together (campaigns.md §6; trust R11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from nurture.campaign.plan import Send
from nurture.campaign.window import Window
from nurture.journey.draw import draw, point
from nurture.journey.effects import Release
from nurture.journey.enrollment import Held
from nurture.journey.facts import NO_CONSENT, OK
from nurture.journey.timing import NeverOpen, next_open
from nurture.journey.walk import Walk

# A mail's outcome wakes what waits for it; this is for an outcome nobody told us of.
EARLIER_MAIL_RETRY = timedelta(minutes=1)
PAUSE_RETRY = timedelta(minutes=15)  # goals and exits by match count while paused, and are asked as often (S5, S26)
NEXT_PASS = timedelta(seconds=1)  # after this one: a mail that stayed due at `now` would be asked again in it for ever
PUNCTUAL = timedelta(minutes=1)  # the worker's own delay; above it a marketing mail is late in the sense of S21


def send(walk: Walk, step: Send) -> None:
    """Goal, exit and `if` have been asked. Permission refuses; late skips or exits; the rest keeps it standing."""
    refusal = _refusal(walk, step)
    if refusal is not None:
        walk.note("refused", refusal, detail=_name(step), topic=step.topic or walk.plan.topic)
        return walk.go(step.next)
    window = _window(walk, step)
    frees = _cap_frees(walk, step)
    try:
        can = next_open(window, max(walk.now, frees), walk.facts.lead.zone, walk.facts.project)
    except NeverOpen as error:
        return walk.park(error.message)
    if step.if_late is not None and step.if_late.do != "send" and can > walk.shift(walk.due, step.if_late.after):
        walk.note("skipped", "late", detail=_name(step), due=walk.due.isoformat(), can=can.isoformat())
        if step.if_late.do == "exit":
            return walk.finish("exited", "late")
        return walk.go(step.next)
    late = not step.service and walk.now - walk.due > PUNCTUAL
    if walk.released or walk.facts.mail_underway:
        return _defer(walk, step, "earlier mail", walk.now + EARLIER_MAIL_RETRY)
    if late and walk.facts.late_marketing_done:
        return _defer(walk, step, "earlier mail", walk.now + NEXT_PASS)
    if walk.facts.paused and not step.service:
        return _defer(walk, step, "pause", walk.now + PAUSE_RETRY)
    if can > walk.now:
        return _defer(walk, step, "cap" if frees > walk.now else "window", can)
    return _release(walk, step, window, late)


def _refusal(walk: Walk, step: Send) -> str | None:
    """Why the mail may not go at all: consent, suppression, jurisdiction in that order, then the staging guard."""
    topic = step.topic or walk.plan.topic
    if step.service:
        permission = walk.facts.service
    else:
        permission = walk.facts.permission.get(topic, NO_CONSENT) if topic is not None else NO_CONSENT
    if permission != OK:
        return permission
    return "test mode" if walk.facts.test_mode else None


def _window(walk: Walk, step: Send) -> Window | None:
    """The step's own; else the campaign's or project's, which service mail does not keep."""
    if step.no_window:
        return None
    return step.window or (None if step.service else walk.window())


def _cap_frees(walk: Walk, step: Send) -> datetime:
    """The instant the cap allows one more marketing mail; not after now where it does already (S22)."""
    cap, nth = walk.facts.project.cap, walk.facts.nth_release
    if cap is None or nth is None or step.service:
        return walk.now
    return walk.shift(nth, cap.per)


def _name(step: Send) -> str:
    """What `why` calls the mail before a template is drawn."""
    return step.variants[0][0] if len(step.variants) == 1 else step.id


def _template(walk: Walk, step: Send) -> str:
    """The template: the only one, the winner of a `pick`, the one drawn before, or a draw that is kept."""
    if len(step.variants) == 1:
        return step.variants[0][0]
    names = [name for name, _ in step.variants]
    chosen = walk.facts.winners.get(step.id)
    if chosen not in names:
        chosen = walk.arms.get(step.id)
    if chosen not in names:
        chosen = draw(step.variants, point(walk.facts.lead.draw, walk.plan.campaign, step.id))
    if walk.arms.get(step.id) != chosen:
        walk.arms = {**walk.arms, step.id: chosen}
    return chosen


def _defer(walk: Walk, step: Send, reason: Held, wake: datetime) -> None:
    """Stand on the send until then, where all is asked again. Said in `why` once, not at every retry."""
    named = wake if reason in ("cap", "window") else None
    if walk.held != reason or (named is not None and named != walk.wake):
        walk.note("deferred", reason, detail=_name(step), until=named)
    walk.stand(reason, wake)


def _release(walk: Walk, step: Send, window: Window | None, late: bool) -> None:
    template = _template(walk, step)
    walk.do(
        Release(
            step=step.id,
            visit=walk.visit,
            template=template,
            variant=len(step.variants) > 1,
            service=step.service,
            topic=None if step.service else step.topic or walk.plan.topic,
            subject=step.subject,
            sender=walk.facts.lead.owner if step.sender == "owner" else step.sender,
            reply_to=step.reply_to,
            attach_utm=step.attach_utm,
            window=window,
            due=walk.due,
            late=late,
        )
    )
    walk.note("released", detail=template, due=walk.due.isoformat())
    walk.released = True
    walk.go(step.next, walk.now)  # a send is done when released, and what follows is spaced from there (S17)

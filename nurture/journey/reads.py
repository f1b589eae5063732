"""What a condition reads, what an effect or event changes, and which conditions a step may ask.

Both sides speak in facets: "stage", "score", "tag", "lead", "account", "consent", "mail", "deal", "enrollment",
"entry", "event:NAME", "event:*" (any of the project's own) and "time" where the answer changes by waiting alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from nurture.campaign.condition import (
    All,
    Condition,
    Consented,
    DealIs,
    Did,
    Enrolled,
    Field,
    InSegment,
    InStage,
    InStageFor,
    Mailed,
    Not,
    Relative,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.plan import (
    END,
    AnyStep,
    Assign,
    Branch,
    Call,
    Leave,
    Notify,
    OpenDeal,
    Plan,
    Repeat,
    Send,
    Split,
    Wait,
    WaitFor,
)
from nurture.campaign.project import Project
from nurture.journey import effects

Facets = frozenset[str]
NONE: Facets = frozenset()
_MOVING = frozenset({"in_last", "in_next", "anniversary_in"})


# ---------------------------------------------------------------------------------------------------- conditions


def _moves(tests: Iterable[Test]) -> bool:
    """True where a test's answer changes by waiting: it measures from the row's instant."""
    for test in tests:
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        if test.op in _MOVING or any(isinstance(value, Relative) for value in values):
            return True
        if any(_moves(inner.tests) for inner in test.element):
            return True
    return False


def _score(name: str, project: Project, seen: frozenset[str]) -> Facets:
    score = project.scores.get(name)
    found = {"score"}
    if score is not None and score.half_life is not None:
        found.add("time")
    for rule in score.rules if score is not None else ():
        if rule.event is not None:
            found.add(event_facet(rule.event))
        if rule.condition is not None:
            found |= _facets(rule.condition, project, seen)
    return frozenset(found)


def _segment(name: str, project: Project, seen: frozenset[str]) -> Facets:
    inner = project.segments.get(name)
    return NONE if inner is None or name in seen else _facets(inner, project, seen | {name})


def _facets(condition: Condition, project: Project, seen: frozenset[str]) -> Facets:
    account = {"account"} if getattr(condition, "by_account", False) else NONE
    match condition:
        case All(items) | AnyOf(items):
            return NONE.union(*(_facets(item, project, seen) for item in items))
        case Not(item):
            return _facets(item, project, seen)
        case Field(scope=scope, tests=tests):
            read = {scope} & {"lead", "account", "entry", "deal"}
            return frozenset(read | {"time"} if _moves(tests) else read)
        case InStage():
            return frozenset({"stage"} | account)
        case InStageFor():
            return frozenset({"stage", "time"})
        case Did(event=event, within=within):
            return frozenset({event_facet(event)} | account | ({"time"} if within is not None else NONE))
        case ScoreIs(name=name):
            return _score(name, project, seen)
        case Tagged():
            return frozenset({"tag"})
        case InSegment(name):
            return _segment(name, project, seen)
        case Consented(topic):
            expires = topic in project.topics and project.topics[topic].expires_after is not None
            return frozenset({"consent", "time"} if expires else {"consent"})
        case Mailed(within=within):
            return frozenset({"mail"} | account | ({"time"} if within is not None else NONE))
        case DealIs():
            return frozenset({"deal"})
        case Enrolled():
            return frozenset({"enrollment"} | account)


def event_facet(name: str) -> str:
    """The facet of doing that event; `any` is any of the project's own, which have no dot."""
    return "event:*" if name == "any" else f"event:{name}"


def facets(condition: Condition, project: Project) -> Facets:
    """Everything whose change may change the answer; segments and scores are followed as the live project has them."""
    return _facets(condition, project, NONE)


# ---------------------------------------------------------------------------------------------------- changes

_OF_EVENT: dict[str, Facets] = {
    "consent": frozenset({"consent"}),
    "mail": frozenset({"mail", "consent"}),  # a bounce may suppress
    "stage": frozenset({"stage"}),
    "score": frozenset({"score"}),
    "lead": frozenset({"lead", "tag", "account"}),
    "deal": frozenset({"deal"}),
    "enrollment": frozenset({"enrollment"}),
}


def event_touches(name: str) -> Facets:
    """What may read differently once that event is accepted."""
    head, dot, _ = name.partition(".")
    if not dot:
        return frozenset({f"event:{name}", "event:*"})
    return _OF_EVENT.get(head, NONE) | {f"event:{name}"}


_SCORED = frozenset({"score", "event:score.crossed"})
_CHANGED = frozenset({"event:lead.changed", "event:score.crossed"})  # a score's rule may hold a condition on the lead
_DEALT = frozenset({"deal", "event:deal.opened", "event:deal.moved", "event:deal.won", "event:deal.lost"})
_TOUCHES: dict[type, Facets] = {
    effects.MoveStage: frozenset({"stage", "event:stage.entered"}),
    effects.AddScore: _SCORED,
    effects.SetFields: _CHANGED | {"lead"},
    effects.AddTag: _CHANGED | {"tag"},
    effects.RemoveTag: _CHANGED | {"tag"},
    effects.AssignOwner: _CHANGED | {"lead"},
    effects.OpenDeal: _DEALT,
    effects.MoveDeal: _DEALT,
    effects.RequestConsent: frozenset({"consent"}),
    effects.ExpireConsent: frozenset({"consent", "event:consent.withdrawn"}),
    effects.EnrollIn: frozenset({"enrollment"}),
}


def touches(effect: effects.AnyEffect) -> Facets:
    """What a later condition of the same pass would read differently once the effect is written.

    A released mail changes nothing yet: `mail: {sent}` is true from the server's answer (S25).
    """
    return _TOUCHES.get(type(effect), NONE)


# ---------------------------------------------------------------------------------------------------- segments


def ends(plan: Plan) -> tuple[int, ...]:
    """The conditions of the goal and the exits, in the order they are asked (S3)."""
    triggers = [plan.goal.trigger] if plan.goal is not None else []
    triggers += [item.trigger for item in plan.exits]
    return tuple(trigger.match for trigger in triggers if trigger.match is not None)


def _asked(step: AnyStep) -> list[int]:
    found = [step.only_if]
    match step:
        case WaitFor(trigger=trigger):
            found.append(trigger.match)
        case Branch(arms=arms):
            found += [condition for condition, _ in arms]
        case Repeat(while_=while_):
            found.append(while_)
    return [condition for condition in found if condition is not None]


def _onward(step: AnyStep, standing: bool) -> list[int]:
    """Where one pass may go on to from the step. `standing`: it may also be woken here, so every way out counts."""
    match step:
        case Leave():
            return [step.next] if step.only_if is not None else []
        case WaitFor(then=then, otherwise=otherwise):
            out = [then, otherwise] if standing else [then] if step.trigger.match is not None else []
        case Repeat(body=body):
            out = [body, step.next] if standing else [step.next]
        case Wait() | Call():
            out = [step.next] if standing else []
        case Branch(arms=arms):
            out = [target for _, target in arms] + [step.next if step.otherwise is None else step.otherwise]
        case Split(arms=arms):
            out = [target for _, _, target in arms]
        case _:
            out = [step.next]
    return [*out, step.next] if step.only_if is not None else out


def segment(plan: Plan, start: int) -> tuple[int, ...]:
    """The conditions one pass may ask from that step on: goal and exits first, then up to the next waiting steps.

    Both outcomes of the step it starts on count. Where a date waited for is past already, the pass may leave the
    segment; `decide` then asks for facts anew.
    """
    found = dict.fromkeys(ends(plan))
    open_, seen = [(start, True)], set()
    while open_:
        index, standing = open_.pop()
        if index == END or index in seen:
            continue
        seen.add(index)
        step = plan.steps[index]
        found.update(dict.fromkeys(_asked(step)))
        open_ += [(target, False) for target in _onward(step, standing)]
    return tuple(found)


# ---------------------------------------------------------------------------------------------------- routes


class Route:
    """What `decide` looks up again and again for one plan under one live project."""

    __slots__ = ("_segments", "end_facets", "ends", "facets", "index", "plan", "project", "watching")

    def __init__(self, plan: Plan, project: Project) -> None:
        self.plan, self.project = plan, project
        self.index = {step.id: i for i, step in enumerate(plan.steps)}
        self.facets = tuple(facets(condition, project) for condition in plan.conditions)
        self.ends = ends(plan)
        self.end_facets = NONE.union(*(self.facets[c] for c in self.ends))
        self.watching = tuple(self.ends + _watched(step) for step in plan.steps)
        self._segments: dict[int, tuple[int, ...]] = {}

    def segment(self, start: int) -> tuple[int, ...]:
        """`segment` of the plan, remembered."""
        if start not in self._segments:
            self._segments[start] = segment(self.plan, start)
        return self._segments[start]

    def watched_facets(self, start: int) -> Facets:
        """What to look out for while an enrollment stands there; "time" asks for a look every 15 minutes (S5)."""
        return NONE.union(*(self.facets[c] for c in self.watching[start]))


def _watched(step: AnyStep) -> tuple[int, ...]:
    return (step.trigger.match,) if isinstance(step, WaitFor) and step.trigger.match is not None else ()


_ROUTES: dict[tuple[int, int], Route] = {}
_KEPT = 512


def route(plan: Plan, project: Project) -> Route:
    """The route of that plan under that project, made once. Kept by identity: it holds both, so no id is reused."""
    found = _ROUTES.get((id(plan), id(project)))
    if found is None:
        if len(_ROUTES) >= _KEPT:
            _ROUTES.clear()
        found = _ROUTES[id(plan), id(project)] = Route(plan, project)
    return found


_LEAD = frozenset({"lead"})
_READS: dict[type, Facets] = {
    Send: frozenset({"consent", "lead"}),
    Wait: _LEAD,
    WaitFor: _LEAD,
    Repeat: _LEAD,
    Call: _LEAD,
    OpenDeal: _LEAD,
    Assign: _LEAD,
    Notify: _LEAD,
}


def reads(step: AnyStep) -> Facets:
    """What a step itself reads besides its conditions: permission, owner, the lead's zone and dates."""
    return _READS.get(type(step), NONE)

"""`nurture test`: the `tests:` of campaigns, played on the simulator, compared with what they expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nurture.campaign.cases import CampaignTest, Expect, Happens, Instant
from nurture.campaign.condition import Moment
from nurture.campaign.plan import Plan, Send
from nurture.campaign.project import Project
from nurture.engine.coverage import reached
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.writing import outcome
from nurture.journey.timing import local, read_moment, shift
from nurture.store import scores, timeline
from nurture.store.batch import Row
from nurture.store.casting import Cast
from nurture.store.conditions import score_values
from nurture.store.database import Transaction
from nurture.store.deals import Deal
from nurture.store.timeline import Line


@dataclass(frozen=True)
class Actual:
    """What happened to the lead of a test. Mails and notices are (name, instant), in order."""

    entered: int
    not_entered: tuple[str, ...]
    sent: tuple[tuple[str, datetime], ...]
    notified: tuple[tuple[str, datetime], ...]
    refused: Mapping[str, str]
    stages: tuple[str, ...]
    tags: tuple[str, ...]
    consents: tuple[str, ...]
    scores: Mapping[str, float]
    ended: str | None
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Verdict:
    """How a test came out. `differences` is empty where it passed; each says what was expected and what happened."""

    test: CampaignTest
    actual: Actual | None
    start: datetime
    differences: tuple[str, ...] = ()
    reached: frozenset[str] = field(default_factory=frozenset)  # steps and arms, in the words of `coverage`

    @property
    def passed(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Players:
    """What a test puts on the stage: one lead, what happens to it, from when until when. `zone` is the lead's."""

    cast: Cast
    script: tuple[Scripted, ...]
    start: datetime
    until: datetime
    zone: str


def players(project: Project, campaign: str, test: CampaignTest) -> Players:
    """The lead of a test, with durations turned into instants."""
    start = read_moment(test.start.text, project.zone)
    assert start is not None
    zone = str(test.lead.fields.get("timezone") or project.zone)
    script = [
        Scripted(instant(e.at, start, zone), 0, e.name, _properties(campaign, e.name, e.properties))
        for e in test.events
    ]
    cast = Cast(
        fields={"source": None, **test.lead.fields},
        stages=test.lead.stages,
        consents=test.lead.consents,
        tags=test.lead.tags,
        scores=test.lead.scores,
        account=test.account,
        deals=[Deal(0, d.pipeline, d.stage, amount=d.amount, opened_at=start, outcome=d.outcome) for d in test.deals],
        external_id=str(test.lead.fields["external_id"]) if test.lead.fields.get("external_id") else None,
    )
    return Players(cast, tuple(script), start, instant(test.until, start, zone), zone)


def run(project: Project, plan: Plan, test: CampaignTest) -> Verdict:
    """Play one test alone, with its campaign deployed at its start, and compare."""
    on = players(project, plan.campaign, test)
    with Rehearsal(project, {plan.campaign: plan}, on.start, answers=test.answers) as stage:
        stage.play([on.cast], on.script, on.until)
        with stage.database.read() as tx:
            actual = _read(tx, project, plan, stage, on, test.expect)
    return Verdict(test, actual, on.start, tuple(_compare(test, actual, on.start, on.zone)), reached(actual.lines))


def _properties(campaign: str, name: str, properties: Mapping[str, object]) -> Mapping[str, object]:
    return {"campaign": campaign, **properties} if name == "enroll" else properties


def instant(at: Instant, start: datetime, zone: str) -> datetime:
    """A duration from the start, or a local date of the lead."""
    if isinstance(at, Moment):
        found = read_moment(at.text, zone)
        assert found is not None
        return found
    return shift(start, at, zone)


def written_ids(plan: Plan) -> dict[str, str]:
    """step id → the name a test calls its mail by: a written id takes the template's place."""
    names = {}
    for step in plan.steps:
        if isinstance(step, Send):
            template = step.variants[0][0]
            names[step.id] = template if step.id == template and len(step.variants) == 1 else step.id
    return names


def _read(tx: Transaction, project: Project, plan: Plan, stage: Rehearsal, on: Players, expect: Expect) -> Actual:
    (lead,) = stage.leads
    names = written_ids(plan)
    told = timeline.lines(tx)
    left = [m for m in timeline.left(tx) if m.state in ("sent", "unknown")]
    ends = timeline.ends(tx)
    standing = timeline.standing(tx, lead)
    return Actual(
        entered=sum(line.what == "entered" for line in told),
        not_entered=tuple(line.reason or "" for line in told if line.what == "not_entered"),
        sent=tuple((names.get(m.step or "", m.template or ""), m.at) for m in left if m.kind == "mail"),
        notified=_notices(told),
        refused=_refusals(told, names),
        stages=standing.stages,
        tags=standing.tags,
        consents=standing.consents,
        scores=_scores(tx, project, lead, on) if expect.scores else {},
        ended=outcome(ends[-1][1], ends[-1][2]) if ends else None,
        lines=tuple(told),
    )


def _scores(tx: Transaction, project: Project, lead: int, on: Players) -> dict[str, float]:
    """As conditions see them at the latest instant points were earned: an author counts points, not half-lives."""
    earned = {name: one.at for (_, name), one in scores.load(tx, [lead]).items()}
    instants = {name: earned.get(name, on.until) for name in project.scores}
    rows = [Row(lead, at, on.zone) for at in instants.values()]
    return {name: seen[name] for name, seen in zip(instants, score_values(tx, project, rows), strict=True)}


def _refusals(told: Sequence[Line], names: Mapping[str, str]) -> dict[str, str]:
    """Why each mail that was refused or passed over was."""
    kept_back = [line for line in told if line.what in ("refused", "skipped") and line.step in names]
    return {names[line.step or ""]: line.reason or "" for line in kept_back}


def _notices(told: Sequence[Line]) -> tuple[tuple[str, datetime], ...]:
    """One a step, however many colleagues were told, and also where the lead of a test has no owner to tell: a test
    says when a colleague is due a notice, `check` warns where nobody may be there to get it."""
    found = [line for line in told if line.what in ("notified", "not_notified")]
    # Its step's id is the template's name, or the written id that takes its place.
    return tuple((line.step or line.detail or "", line.at) for line in found)


def _compare(test: CampaignTest, actual: Actual, start: datetime, zone: str) -> list[str]:
    expect, found = test.expect, []
    if expect.entered is not None:
        fits = (
            actual.entered == expect.entered
            if not isinstance(expect.entered, bool)
            else bool(actual.entered) is expect.entered
        )
        if not fits:
            why = f" (not entered: {', '.join(actual.not_entered)})" if actual.not_entered else ""
            found.append(f"entered: expected {_word(expect.entered)}, was {actual.entered}{why}")
    if expect.not_entered is not None and expect.not_entered not in actual.not_entered:
        found.append(
            f"not_entered: expected '{expect.not_entered}', was {', '.join(actual.not_entered) or 'never asked'}"
        )
    for name, wanted, got in (("sent", expect.sent, actual.sent), ("notified", expect.notified, actual.notified)):
        if wanted is not None:
            found += _compare_mails(name, wanted, got, start, zone)
    if expect.refused is not None:
        for mail, reason in expect.refused.items():
            if actual.refused.get(mail) != reason:
                found.append(f"refused: expected {mail}: {reason}, was {actual.refused.get(mail, 'not refused')}")
    found += _compare_sets(test, actual)
    if expect.ended is not None and expect.ended != actual.ended:
        found.append(f"ended: expected {expect.ended}, was {actual.ended or 'never entered'}")
    return found


def _compare_sets(test: CampaignTest, actual: Actual) -> list[str]:
    expect, found = test.expect, []
    pairs = (
        ("stage", expect.stages, actual.stages),
        ("tags", expect.tags, actual.tags),
        ("consents", expect.consents, actual.consents),
    )
    for name, wanted, got in pairs:
        if wanted is not None and sorted(wanted) != sorted(got):
            found.append(f"{name}: expected {', '.join(wanted) or 'none'}, was {', '.join(got) or 'none'}")
    for name, value in (expect.scores or {}).items():
        if abs(actual.scores.get(name, 0.0) - value) > 0.005:
            found.append(f"scores: expected {name} {value:g}, was {actual.scores.get(name, 0.0):g}")
    return found


def _compare_mails(
    kind: str, wanted: Sequence[Happens], got: Sequence[tuple[str, datetime]], start: datetime, zone: str
) -> list[str]:
    expected = [(h.name, instant(h.at, start, zone)) for h in wanted]
    if list(got) == expected:
        return []
    found = []
    for n in range(max(len(expected), len(got))):
        one = expected[n] if n < len(expected) else None
        other = got[n] if n < len(got) else None
        if one != other:
            found.append(f"{kind} {n + 1}: expected {_mail(one, zone)}, was {_mail(other, zone)}")
    return found


def _mail(one: tuple[str, datetime] | None, zone: str) -> str:
    return "nothing" if one is None else f"{one[0]} at {local(one[1], zone):%Y-%m-%dT%H:%M:%S}"


def _word(value: bool | int) -> str:
    return str(value).lower()

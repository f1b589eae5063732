"""config.yaml and segments.yaml read into a Project.

In two rounds: names first (stages, events, topics, scores), then the conditions that test them.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from msgspec import structs

from nurture.campaign.condition import All, Condition
from nurture.campaign.duration import Duration
from nurture.campaign.problems import Mark
from nurture.campaign.project import (
    Alerts,
    DealStage,
    Form,
    Funnel,
    Pipeline,
    Project,
    Recycle,
    Score,
    ScoreRule,
    Sender,
    Stage,
    Threshold,
    Topic,
    Webhook,
)
from nurture.campaign.reading.conditions import read_condition, read_where
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.funnels import FUNNEL_SHORT, PIPELINE, RECYCLE, RULE, SCORE
from nurture.campaign.reading.kinds import Got, Kind, ListOf, MapOf, Raw
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Name
from nurture.campaign.reading.sections import FORM, TOPIC
from nurture.campaign.reading.windows import WINDOW
from nurture.campaign.rules.circles import Asked, refuse_circles
from nurture.campaign.source import Findings, Mapping, Node, Scalar

_NOTHING: Condition = All(())  # stands for a segment whose name is known and whose condition is not read yet


def build_project(got: Got, segments: Node | None, findings: Findings) -> Project:
    """The project these sections describe, as far as they could be read. `segments` is the tree of segments.yaml."""
    return _Builder(got, segments, findings).build()


class _Builder:
    def __init__(self, got: Got, segments: Node | None, findings: Findings) -> None:
        self._got = got
        self._findings = findings
        self._asked: list[Asked] = []
        self._segments: dict[str, tuple[Scalar, Node]] = {}
        for node in (got.nodes.get("segments"), segments):
            self._learn_segments(node)

    def build(self) -> Project:
        project = self._named(self._plain())
        at = Context(self._findings, project)
        conditions = {name: self._ask(node, at, "segment", name) for name, (_, node) in self._segments.items()}
        got = self._got
        project = structs.replace(
            project,
            window=WINDOW.read(got.nodes["window"], at) if "window" in got else None,
            segments={name: condition for name, condition in conditions.items() if condition is not None},
            funnels={name: self._funnel(name, stages, at) for name, stages in self._funnels(at).items()},
            pipelines={name: _pipeline(name, g, at) for name, g in self._collected("pipelines", PIPELINE, at).items()},
            scores={name: self._score(name, g, at) for name, g in self._collected("scores", SCORE, at).items()},
        )
        refuse_circles(self._asked, self._findings)
        return project

    def _plain(self) -> Project:
        """The plain sections, which name nothing declared elsewhere."""
        got = self._got
        hooks: dict[str, Got] = got.get("webhooks", {})
        return Project(
            name=got.get("project", "project"),
            zone=got.get("timezone", "UTC"),
            locale=got.get("locale", "en"),
            currency=got.get("currency", "EUR"),
            sender=got.get("sender", Sender()),
            events=got.get("events", {}),
            attributes=got.get("attributes", {}),
            account_attributes=got.get("account_attributes", {}),
            cap=got["caps"]["marketing"] if got["caps"] else None,
            holidays=got.get("holidays", {}),
            teams=got.get("teams", {}),
            webhooks={
                name: Webhook(
                    name, hook["url"] or "", hook.get("timeout", Duration(seconds=10)), bool(hook["erasures"])
                )
                for name, hook in hooks.items()
            },
            alerts=got.get("alerts", Alerts()),
            late_events=got.get("late_events", Duration(seconds=86_400)),
            expires_after=got.get("expires_after", Duration(seconds=72 * 3600)),
            tracking=got.get("tracking", False),
        )

    def _named(self, project: Project) -> Project:
        """With everything conditions may name; the conditions themselves are still missing."""
        quiet = Context(Findings(), project)  # what is wrong there is said when it is read in full
        project = structs.replace(
            project,
            funnels={
                name: Funnel(name, tuple(Stage(g["name"]) for g in stages))
                for name, stages in self._funnels(quiet).items()
            },
            pipelines={
                name: Pipeline(name, tuple(g.get("stages", ())))
                for name, g in self._collected("pipelines", PIPELINE, quiet).items()
            },
            scores={name: Score(name) for name in _keys(self._got.nodes.get("scores"))},
            topics={name: Topic(name) for name in _keys(self._got.nodes.get("topics"))},
            segments=dict.fromkeys(self._segments, _NOTHING),
        )
        at = Context(self._findings, project)
        forms = self._collected("forms", FORM, at)
        channels = self._got.nodes.get("channels")
        return structs.replace(
            project,
            topics={n: _topic(n, g) for n, g in self._collected("topics", TOPIC, at).items()},
            forms={n: Form(n, **_written(g)) for n, g in forms.items()},
            channels=MapOf(Declared("webhook"), "'channels'").read(channels, at) or {} if channels else {},
        )

    def _collected(self, section: str, kind: Kind, at: Context) -> dict[str, Got]:
        node = self._got.nodes.get(section)
        found: dict[str, Got] | None = None
        if node is not None:
            found = MapOf(kind, f"'{section}'", Name("a name", dots=False)).read(node, at)
        return found or {}

    def _funnels(self, at: Context) -> dict[str, tuple[Got, ...]]:
        """The stages of each funnel as they are written; `funnel:` is one called `main`."""
        got = self._got
        named = self._collected("funnels", FUNNEL_SHORT, at)
        if "funnel" in got:
            if "funnels" in got:
                at.add(got.nodes["funnel"], "N114", "'funnel' is short for a single one; there are 'funnels' too")
            named = {**named, "main": FUNNEL_SHORT.read(got.nodes["funnel"], at)}
        plain = {name: f["stages"] if isinstance(f, Got) else f for name, f in named.items()}
        return {name: stages for name, stages in plain.items() if stages}

    def _funnel(self, name: str, written: tuple[Got, ...], at: Context) -> Funnel:
        made: list[Stage] = []
        for got in written:
            stage: str = got["name"]
            first = next((f for f, ss in self._owners(at).items() if stage in ss), name)
            if stage in [s.name for s in made] or first != name:
                hint = "a stage's name is unique over all funnels"
                at.add(got.nodes["name"], "N505", f"the stage '{stage}' is written twice", hint)
                continue
            moves = self._moves(got, at)
            enter_if = self._ask(got.nodes["enter_if"], at, "stage", stage) if "enter_if" in got else None
            made.append(Stage(stage, got["band"], enter_if, got["sla"], moves, bool(got["left"])))
        return Funnel(name, tuple(made))

    def _owners(self, at: Context) -> Map[str, tuple[str, ...]]:
        return {name: funnel.names() for name, funnel in at.project.funnels.items()}

    def _moves(self, got: Got, at: Context) -> tuple[str, ...]:
        if "moves" not in got or got["moves"] is None:
            return ()
        return ListOf(Declared("stage"), bare=True).read(got.nodes["moves"], at) or ()

    def _score(self, name: str, got: Got, at: Context) -> Score:
        rules: list[ScoreRule] = []
        for node in got.get("rules", ()):
            rule: Got | None = RULE.read(node, at)
            if rule is None or rule["points"] is None:
                continue
            event = rule["event"]
            where = read_where(rule.nodes["where"], event, at) if "where" in rule and event else None
            condition = self._ask(rule.nodes["if"], at, "score", name) if "if" in rule else None
            rules.append(ScoreRule(float(rule["points"]), event, where, condition))
        thresholds = tuple(Threshold(n, at_, down) for n, (at_, down) in got.get("thresholds", {}).items())
        most = got["at_most"]
        return Score(name, tuple(rules), got["half_life"], None if most is None else float(most), thresholds)

    def _ask(self, node: Node, at: Context, kind: str, name: str) -> Condition | None:
        """A condition of the project, remembered for the search of circles."""
        condition = read_condition(node, at)
        if condition is not None:
            self._asked.append(Asked(kind, name, node.mark, condition))
        return condition

    def _learn_segments(self, node: Node | None) -> None:
        at = Context(self._findings)
        if node is None or MapOf(Raw(), "'segments'", Name("a segment")).read(node, at) is None:
            return
        for key, value in node.entries if isinstance(node, Mapping) else ():
            if key.text in self._segments:
                first: Mark = self._segments[key.text][0].mark
                at.add(key, "N105", f"'{key.text}' is written twice; the first is {first.file}:{first.line}")
            else:
                self._segments[key.text] = (key, value)


def _pipeline(name: str, got: Got, at: Context) -> Pipeline:
    made: tuple[DealStage, ...] = got.get("stages", ())
    recycle: Recycle | None = RECYCLE.read(got.nodes["recycle"], at) if "recycle" in got else None
    return Pipeline(name, made, got.get("won", ()), got.get("lost", ()), recycle)


def _topic(name: str, got: Got) -> Topic:
    return Topic(name, **_written(got))


def _written(got: Got) -> dict[str, Any]:
    return {key: value for key, value in got.values.items() if value is not None}


def _keys(node: Node | None) -> list[str]:
    return [key.text for key, _ in node.entries] if isinstance(node, Mapping) else []

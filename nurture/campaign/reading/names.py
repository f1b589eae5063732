"""Names that must be declared: each with its own code, the nearest known name and the list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nurture.campaign.declared import ANY_EVENT, event_names
from nurture.campaign.project import Project
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.kinds import word
from nurture.campaign.reading.schema import Schema, defined
from nurture.campaign.source import Node

Known = Callable[[Project], Iterable[str]]


def stages(project: Project) -> list[str]:
    return [stage for funnel in project.funnels.values() for stage in funnel.names()]


def deal_stages(project: Project) -> list[str]:
    return [stage.name for pipeline in project.pipelines.values() for stage in pipeline.stages]


_KNOWN: dict[str, tuple[str, str, Known]] = {
    "event": ("N301", "event", event_names),
    "topic": ("N303", "topic", lambda p: p.topics),
    "stage": ("N304", "stage", stages),
    "segment": ("N305", "segment", lambda p: p.segments),
    "team": ("N306", "team", lambda p: p.teams),
    "webhook": ("N307", "webhook", lambda p: p.webhooks),
    "score": ("N309", "score", lambda p: p.scores),
    "form": ("N311", "form", lambda p: p.forms),
    "pipeline": ("N314", "pipeline", lambda p: p.pipelines),
    "deal stage": ("N314", "deal stage", deal_stages),
}


def declared_names(project: Project) -> dict[str, list[str]]:
    """Kind → what the project declares of it."""
    return {kind: list(known(project)) for kind, (_, _, known) in _KNOWN.items()}


EXAMPLES = {
    "event": "order_completed",
    "topic": "newsletter",
    "stage": "customer",
    "segment": "tea-drinkers",
    "team": "care",
    "webhook": "crm",
    "score": "interest",
    "form": "guide",
    "pipeline": "wholesale",
    "deal stage": "quote",
    "campaign": "welcome",
    "template": "welcome/hello",
    "mail": "welcome/hello",
}


@dataclass(frozen=True)
class Declared:
    """A name of this kind. Names of campaigns, templates and mails are judged once the whole project is read."""

    kind: str

    @property
    def noun(self) -> str:
        return f"the name of a {self.kind}"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if self.kind not in _KNOWN:
            at.refer(self.kind, found)
            return found.text
        code, what, known = _KNOWN[self.kind]
        if found.text in known(at.project) or (self.kind == "event" and found.text == ANY_EVENT):
            return found.text
        if self.kind == "event" and found.text == "mail.opened":
            at.add(found, code, "opening a mail is not an event", "test it with 'mail: {opened: …}'")
            return None
        at.unknown(found, code, what, known(at.project))
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """What is declared is not the schema's to know; an editor is given the example, or the project's own names."""
        name: Schema = {"type": ["string", "number"], "minLength": 1, "examples": [EXAMPLES[self.kind]]}
        return defined(defs, self.kind.replace(" ", "-"), name)

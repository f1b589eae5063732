"""What a reader needs beside the node it reads: where findings go, what is declared, what the condition stands in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nurture.campaign.problems import Mark, did_you_mean
from nurture.campaign.project import Project, Shape
from nurture.campaign.source import Findings, Mapping, Node, Scalar


@dataclass(frozen=True)
class Scene:
    """Where a condition is asked. `entry` holds the entry event's declared properties, None where no event opens the
    enrollment; `key` is the property `same` compares with; `enrolled`: an enrollment is at hand; `campaign`: whose."""

    campaign: str | None = None
    enrolled: bool = False
    entry: dict[str, Shape] | None = None
    key: str | None = None
    unsure: bool = False  # the entry could not be read, so nothing is said about what it would have given


@dataclass(frozen=True)
class Reference:
    """A name that only the whole project can judge: of a campaign, a template or a step. `service`: of a template
    sent by a service mail; `internal`: to a colleague."""

    kind: str
    name: str
    mark: Mark
    service: bool = False
    internal: bool = False


@dataclass(frozen=True)
class Context:
    findings: Findings
    project: Project = field(default_factory=Project)
    scene: Scene = Scene()
    references: list[Reference] = field(default_factory=list)
    lost: list[Mark] = field(default_factory=list)  # steps left out because of a problem

    def within(self, scene: Scene) -> Context:
        return replace(self, scene=scene)

    def add(self, node: Node, code: str, message: str, hint: str = "") -> None:
        self.findings.add(node.mark, code, message, hint)

    def warn(self, node: Node, code: str, message: str, hint: str = "") -> None:
        self.findings.warn(node.mark, code, message, hint)

    def refer(self, kind: str, node: Scalar, *, service: bool = False, internal: bool = False) -> None:
        self.references.append(Reference(kind, node.text, node.mark, service, internal))

    def unknown(self, node: Scalar, code: str, what: str, known: Iterable[str], declared_in: str = "") -> None:
        """Say that a name is not declared, with the nearest one and the list of those that are. `what` may be
        `KIND of WHOSE`."""
        names = list(dict.fromkeys(known))
        where = declared_in or "config.yaml"
        there = f"{where} has: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}" if names else ""
        hint = " ".join(part for part in (did_you_mean(node.text, names), there or f"{where} declares none") if part)
        kind, of, whose = what.partition(" of ")
        self.add(node, code, f"unknown {kind} {said(node)}{of}{whose}", hint)


def said(node: Node) -> str:
    """The user's own word in quotes, short; never what a `${NAME}` stood for."""
    match node:
        case Scalar(raw=raw, text=text):
            word = raw or text
            return f"'{word if len(word) <= 60 else word[:57] + '…'}'"
        case Mapping():
            return "this mapping"
    return "this list"

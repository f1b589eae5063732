"""Mapping files: what a row of somebody's table is, written in Jinja over `row`.

    lead: {email: "{{ row.mail }}", external_id: "{{ row.id }}"}
    stage: {name: mql, since: "{{ row.first_contact }}"}
    attributes: {plan: "{{ row.plan }}"}
    consent: {topic: offers, basis: consent, at: "{{ row.agreed_at }}", source: sign-up form}
    event: {lead: "{{ row.user_id }}", name: "{{ row.event }}", at: "{{ row.time }}", properties: {plan: "{{ row.p }}"}}
    deal: {lead: "{{ row.id }}", pipeline: sales, closed_at: "{{ row.won }}", outcome: won}

One file may describe leads, events and deals of the same table; each import takes the blocks that are its own. Every
value is a text, trimmed; an empty one says nothing. Templates are compiled once a file, in Jinja's immutable sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Values
from typing import Any, Literal

import msgspec
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from nurture.campaign.mapping_keys import BASES, BLOCKS, CONSENT_STATES, FIELDS, OUTCOMES
from nurture.campaign.problems import Mark, Problem, did_you_mean
from nurture.campaign.project import Project
from nurture.campaign.source import Findings, Node, Scalar, read_tree
from nurture.campaign.source import Mapping as MappingNode

Kind = Literal["leads", "events", "deals"]
Row = Values[str, Any]
Render = Callable[[Row], str]

LONGEST = 65_536  # characters of one value
_BLOCK_OF: dict[Kind, str] = {"leads": "lead", "events": "event", "deals": "deal"}
_USED: dict[Kind, tuple[str, ...]] = {
    "leads": ("lead", "stage", "attributes", "consent"),
    "events": ("event",),
    "deals": ("deal",),
}
_ONE_COLUMN = re.compile(r"\{\{\s*row\.([A-Za-z_]\w*)\s*\}\}")


class RowRefused(Exception):
    """This row cannot be used; the text says why, without repeating its values."""


class Column(msgspec.Struct, frozen=True):
    """A column the file must have, and where the mapping names it."""

    name: str
    mark: Mark


class RowMapping:
    """A mapping file, read. Each `render` gives the texts of one block for a row, empty ones left out, and raises
    RowRefused where the row lacks what a template needs."""

    def __init__(self, file: str, text: str, reader: _Reader, blocks: dict[str, dict[str, Any]]) -> None:
        self.file = file
        self.text = text
        self._blocks = blocks
        self._marks = reader.marks
        self.columns = reader.columns

    def has(self, block: str) -> bool:
        return block in self._blocks

    def serves(self, kind: Kind) -> bool:
        """Whether it says what a row is for that import."""
        return _BLOCK_OF[kind] in self._blocks

    def constant(self, block: str, field: str) -> str | None:
        """The text of a field that is the same for every row, else None."""
        value = self._blocks.get(block, {}).get(field)
        return value if isinstance(value, str) else None

    def render(self, block: str, row: Row) -> dict[str, Any]:
        """Field → text; `properties` is a mapping of its own."""
        return _render(self._blocks.get(block, {}), row)

    def check(self, kind: Kind, project: Project, header: Iterable[str] | None) -> list[Problem]:
        """What stands between this mapping and an import: a block or a column that is not there, a stage, topic,
        pipeline or outcome that the project does not know. `header` None: the rows have no common one."""
        findings = Findings()
        findings.learn(self.file, self.text)
        if not self.serves(kind):
            block = _BLOCK_OF[kind]
            needs = ", ".join(_required(block)) or "email or external_id"
            hint = f"write '{block}: {{…}}' with {needs}"
            findings.add(Mark(self.file), "N708", f"this mapping does not say what a row of {kind} is", hint)
        for block, field, known, what in _names(project):
            text = self.constant(block, field)
            if text and text not in known and block in _USED[kind]:
                hint = did_you_mean(text, known) or f"there are: {', '.join(known) or 'none'}"
                findings.add(self._marks[block, field], "N709", f"the project has no {what} '{text}'", hint)
        names = None if header is None else list(header)
        for block in _USED[kind]:
            for column in self.columns.get(block, {}).values() if names is not None else ():
                if names is not None and column.name not in names:
                    hint = did_you_mean(column.name, names) or f"it has: {', '.join(names)}"
                    findings.add(column.mark, "N706", f"the file has no column '{column.name}'", hint)
        return findings.problems


def _names(project: Project) -> list[tuple[str, str, list[str], str]]:
    """Block and field, what may stand there, and its word."""
    stages = [name for funnel in project.funnels.values() for name in funnel.names()]
    return [
        ("stage", "name", stages, "stage"),
        ("consent", "topic", list(project.topics), "topic"),
        ("consent", "basis", list(BASES), "legal basis"),
        ("consent", "state", list(CONSENT_STATES), "consent state for imports"),
        ("deal", "pipeline", list(project.pipelines), "pipeline"),
        ("deal", "outcome", list(OUTCOMES), "outcome"),
    ]


def _render(block: Values[str, Any], row: Row) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field, value in block.items():
        if isinstance(value, dict):
            inner = _render(value, row)
            if inner:
                made[field] = inner
            continue
        text = value if isinstance(value, str) else _one(value, row)
        if text:
            made[field] = text
    return made


def _one(render: Render, row: Row) -> str:
    try:
        text = render(row).strip()
    except UndefinedError as error:
        names = re.findall(r"'([^']*)'", error.message or "")
        raise RowRefused(f"it has no field '{names[-1] if names else '?'}'") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise RowRefused(f"the mapping does not work on it: {type(error).__name__}") from error
    if len(text) > LONGEST:
        raise RowRefused(f"a value is longer than {LONGEST} characters")
    return text


def as_text(value: object) -> str:
    """A value of a JSON line, or of an expression, as the text the schema will give a type."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case dict() | list() | tuple():
            return msgspec.json.encode(value).decode()
    return str(value)


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        """`row.items` is the column of that name, not the method of a mapping."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment() -> _Environment:
    def finalize(value: object) -> object:
        return value if isinstance(value, StrictUndefined) else as_text(value)

    return _Environment(undefined=StrictUndefined, autoescape=False, finalize=finalize)


def read_mapping(file: str, text: str) -> tuple[RowMapping | None, list[Problem]]:
    """The mapping of a file's text, with all that is wrong in it; none where an error makes it unusable."""
    findings = Findings()
    tree = read_tree(file, text, findings)
    if tree is None and not findings.problems:
        findings.add(Mark(file), "N701", "the mapping is empty", f"say what a row is: {', '.join(BLOCKS)}")
    if tree is None:
        return None, findings.problems
    if not isinstance(tree, MappingNode):
        findings.add(tree.mark, "N701", "a mapping file is a mapping", f"its keys are: {', '.join(BLOCKS)}")
        return None, findings.problems
    reader = _Reader(findings)
    blocks = reader.blocks(tree)
    found = findings.problems
    if any(p.severity == "error" for p in found):
        return None, found
    return RowMapping(file, text, reader, blocks), found


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._environment = _environment()
        self.columns: dict[str, dict[str, Column]] = {}  # block → name → where first named
        self.marks: dict[tuple[str, str], Mark] = {}
        self._in = ""

    def blocks(self, tree: MappingNode) -> dict[str, dict[str, Any]]:
        read: dict[str, dict[str, Any]] = {}
        for key, node in tree.entries:
            if key.text not in BLOCKS:
                self._unknown(key, BLOCKS, "a mapping file")
            elif not isinstance(node, MappingNode):
                self._findings.add(node.mark, "N703", f"'{key.text}' is a mapping of fields to templates")
            else:
                read[key.text] = self._block(key, node)
        self._whole(tree, read)
        return read

    def _whole(self, tree: MappingNode, read: dict[str, dict[str, Any]]) -> None:
        lead = read.get("lead")
        if lead is not None and not ({"email", "external_id"} & lead.keys()):
            self._findings.add(
                tree.mark, "N704", "'lead' needs an 'email' or an 'external_id'", "else one could not find it again"
            )
        for block in ("stage", "attributes", "consent"):
            if block in read and "lead" not in read:
                mark = next(key.mark for key, _ in tree.entries if key.text == block)
                self._findings.add(mark, "N704", f"'{block}' needs a 'lead' beside it")

    def _block(self, key: Scalar, node: MappingNode) -> dict[str, Any]:
        name = self._in = key.text
        known = FIELDS.get(name)
        fields: dict[str, Any] = {}
        for field, value in node.entries:
            self.marks[name, field.text] = value.mark
            if known is not None and field.text not in known:
                self._unknown(field, known, f"'{name}'")
            elif name == "event" and field.text == "properties" and isinstance(value, MappingNode):
                fields["properties"] = self._values(value)
            elif known is None and isinstance(value, MappingNode):
                fields[field.text] = self._values(value)
            else:
                fields[field.text] = self._template(value)
        for required in _required(name):
            if required not in fields:
                self._findings.add(key.mark, "N704", f"'{name}' needs '{required}'", FIELDS[name][required].doc)
        return fields

    def _values(self, node: MappingNode) -> dict[str, Any]:
        return {
            key.text: self._values(value) if isinstance(value, MappingNode) else self._template(value)
            for key, value in node.entries
        }

    def _unknown(self, key: Scalar, known: Iterable[str], where: str) -> None:
        names = list(known)
        hint = did_you_mean(key.text, names)
        allowed = f"{where} takes: {', '.join(names)}"
        self._findings.add(key.mark, "N702", f"unknown key '{key.text}' in {where}", f"{hint} {allowed}".strip())

    def _template(self, node: Node) -> str | Render:
        """A plain text where nothing is to be put in, else what renders it."""
        if not isinstance(node, Scalar):
            self._findings.add(node.mark, "N703", "a text is expected here", 'such as "{{ row.COLUMN }}"')
            return ""
        if node.empty or not ("{{" in node.text or "{%" in node.text or "{#" in node.text):
            return "" if node.empty else node.text.strip()
        try:
            tree = self._environment.parse(node.text)
        except TemplateSyntaxError as error:
            self._findings.add(node.mark, "N705", f"this is not Jinja: {error.message}")
            return ""
        self._columns_of(tree, node)
        plain = _ONE_COLUMN.fullmatch(node.text.strip())
        if plain:
            return _column(plain[1])
        template = self._environment.from_string(tree)
        return lambda row: template.render(row=row)

    def _columns_of(self, tree: nodes.Template, node: Scalar) -> None:
        for name in tree.find_all(nodes.Name):
            if name.name != "row" and name.ctx == "load" and not _assigned(tree, name.name):
                self._findings.add(
                    node.mark, "N707", f"'{name.name}' is not known here", f"write 'row.{name.name}' for a column"
                )
        optional = {id(f.node) for f in tree.find_all(nodes.Filter) if f.name in ("default", "d")}
        tested = {id(t.node) for t in tree.find_all(nodes.Test) if t.name in ("defined", "undefined")}
        called = {id(c.node) for c in tree.find_all(nodes.Call)}
        for access in [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]:
            column = _column_name(access)
            if column and id(access) not in optional | tested | called:
                self.columns.setdefault(self._in, {}).setdefault(column, Column(column, node.mark))


def _required(block: str) -> list[str]:
    return [name for name, key in FIELDS.get(block, {}).items() if key.required]


def _column(name: str) -> Render:
    def take(row: Row) -> str:
        if name not in row:
            raise UndefinedError(f"'{name}'")
        return as_text(row[name])

    return take


def _assigned(tree: nodes.Template, name: str) -> bool:
    return any(n.name == name and n.ctx == "store" for n in tree.find_all(nodes.Name))


def _column_name(access: nodes.Expr) -> str | None:
    match access:
        case nodes.Getattr(node=nodes.Name(name="row"), attr=name):
            return name
        case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str(name))):
            return name
    return None

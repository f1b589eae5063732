"""A recorded history out of somebody's files, as players and script of a rehearsal.

Events are taken by instant, equal ones in the file's order. Leads come from a table of their own, or from the events'
where its mapping says so; whoever only did something is played too, with nothing known of them but their name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nurture.campaign.mapping import Kind, RowMapping, RowRefused, read_mapping
from nurture.campaign.problems import ProjectProblems, errors
from nurture.campaign.project import Project
from nurture.engine.drafts import Drafts, LeadDraft, WhoIs
from nurture.engine.imports import read_events
from nurture.engine.rehearse import Scripted
from nurture.engine.rows import Table, open_table
from nurture.errors import UserError
from nurture.lead.address import canonical_address
from nurture.lead.lead import field_name
from nurture.store.casting import Cast

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # a history to rehearse may lie in the future
_USUAL = {
    "lead": ("lead", "user_id", "userid", "external_id", "email", "customer_id", "anonymous_id"),
    "name": ("event", "name", "event_name"),
    "at": ("at", "timestamp", "time", "occurred_at", "created_at"),
    "id": ("id", "event_id", "message_id"),
}


@dataclass
class Player:
    """A lead as the files tell of it. What was agreed or reached after the start is played at its instant."""

    external: str | None = None
    email: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, tuple[str, datetime]] = field(default_factory=dict)  # by funnel
    consents: dict[str, tuple[str, datetime]] = field(default_factory=dict)  # by topic: state, since

    @property
    def name(self) -> str:
        """What the timeline calls it: its address, else its external id."""
        return self.email or self.external or ""


@dataclass
class History:
    """`script` names players by their place. `refused` are rows that could not be used, (file, line, reason)."""

    players: list[Player] = field(default_factory=list)
    script: list[Scripted] = field(default_factory=list)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    @property
    def first(self) -> datetime | None:
        return self.script[0].at if self.script else None

    @property
    def last(self) -> datetime | None:
        return self.script[-1].at if self.script else None

    def place(self, who: WhoIs) -> int:
        """The player this names, by external id or by address; a new one where nobody was named so before."""
        names = [text for text in (who.external, canonical_address(who.email) if who.email else None) if text]
        known = next((self._places[name] for name in names if name in self._places), None)
        if known is None:
            known = len(self.players)
            self.players.append(Player())
        player = self.players[known]
        player.external = player.external or who.external
        player.email = player.email or who.email
        self._places.update((name, known) for name in names if name not in self._places)
        return known


def read_history(
    project: Project,
    events: Path,
    leads: Path | None = None,
    mappings: Sequence[RowMapping] = (),
    progress: Callable[[str, float], None] = lambda phase, share: None,
) -> History:
    """Who was there and what they did. Raises ProjectProblems where a mapping does not fit its file, UserError where
    there is none and the columns do not speak for themselves."""
    history = History()
    with ExitStack() as files:
        table = files.enter_context(open_table(events))
        mapping = _chosen(mappings, "events") or _usual_events(table)
        _fits(mapping, "events", project, table)
        of_leads = _chosen(mappings, "leads")
        if leads is None and of_leads is not None and not errors(of_leads.check("leads", project, table.header)):
            leads = events  # the same file names its leads
        if leads is not None:
            _read_leads(history, project, leads, of_leads, files, progress)
        drafts = Drafts(mapping, project, _NEVER)

        def refuse(line: int, reason: str) -> None:
            history.refused.append((events.name, line, reason))

        for spooled in read_events(table, drafts, files, refuse):
            draft = spooled.draft
            history.script.append(Scripted(spooled.at, history.place(draft.who), draft.name, draft.properties))
    return history


def read_players(project: Project, leads: Path, mapping: RowMapping | None = None) -> History:
    """Who stands in a table of leads. Raises as `read_history`."""
    history = History()
    with ExitStack() as files:
        _read_leads(history, project, leads, mapping, files, lambda phase, share: None)
    return history


def _read_leads(
    history: History,
    project: Project,
    path: Path,
    mapping: RowMapping | None,
    files: ExitStack,
    progress: Callable[[str, float], None],
) -> None:
    table = files.enter_context(open_table(path))
    mapping = mapping or _usual_leads(table, project)
    _fits(mapping, "leads", project, table)
    drafts = Drafts(mapping, project, _NEVER)
    for record in table.records():
        progress("reading leads", table.read_bytes() / max(1, table.size))
        if record.row is None:
            history.refused.append((path.name, record.line, record.refused or "it cannot be read"))
            continue
        try:
            draft = drafts.lead(record.row)
        except RowRefused as why:
            history.refused.append((path.name, record.line, str(why)))
            continue
        _learn(history.players[history.place(draft.who)], draft)


def _learn(player: Player, draft: LeadDraft) -> None:
    """A later row adds to what earlier ones said."""
    player.fields.update({field_name(column): value for column, value in draft.columns.items()})
    player.fields.update(draft.attributes)
    if draft.created_at is not None:
        player.fields.setdefault("created_at", draft.created_at.isoformat())
    if draft.stage is not None:
        player.stages[draft.stage.funnel] = (draft.stage.stage, draft.stage.since)
    if draft.consent is not None:
        player.consents[draft.consent.topic] = (draft.consent.state, draft.consent.at)


def staged(history: History, start: datetime) -> tuple[list[Cast], list[Scripted]]:
    """The players as they are at the start, and the whole script: what they agreed to later happens then."""
    cast, more = [], []
    for place, p in enumerate(history.players):
        agreed = {t: at for t, (state, at) in p.consents.items() if state == "granted" and at <= start}
        fields = {"source": None, **p.fields, **({"email": p.email} if p.email else {})}
        stood = {stage: since for stage, since in p.stages.values() if since <= start}
        cast.append(Cast(fields, list(stood), list(agreed), external_id=p.external, stood=stood, agreed=agreed))
        for topic, (state, at) in p.consents.items():
            if at > start:
                more.append(Scripted(at, place, f"consent.{state}", {"topic": topic}))
        for stage, since in p.stages.values():
            if since > start:
                more.append(Scripted(since, place, "stage.entered", {"stage": stage}))
    return cast, sorted([*more, *history.script], key=lambda s: s.at)


# --- mappings


def _chosen(mappings: Sequence[RowMapping], kind: Kind) -> RowMapping | None:
    """The mapping that says what a row of this kind is. Raises UserError where two do."""
    found = [m for m in mappings if m.serves(kind)]
    if len(found) > 1:
        raise UserError(f"{found[0].file} and {found[1].file} both say what a row of {kind} is", hint="give one")
    if mappings and not found and kind == "events":
        raise UserError("no --mapping says what an event is", hint="write 'event: {lead: …, name: …, at: …}' in one")
    return found[0] if found else None


def _fits(mapping: RowMapping, kind: Kind, project: Project, table: Table) -> None:
    found = errors(mapping.check(kind, project, table.header))
    if found:
        raise ProjectProblems(found)


def _usual_events(table: Table) -> RowMapping:
    """For a file without a mapping whose columns have the usual names; all others are properties."""
    columns = {name.lower(): name for name in table.header or ()}
    found = {key: columns[usual] for key, names in _USUAL.items() for usual in reversed(names) if usual in columns}
    missing = [key for key in ("lead", "name", "at") if key not in found]
    if missing:
        what = " and the ".join(_SAID[m] for m in missing)
        raise UserError(
            f"it does not show which column of {table.path.name} holds the {what}",
            hint=f"say it with --mapping MAP.yaml; the file has: {', '.join(table.header or ()) or 'no header'}",
        )
    rest = [name for name in table.header or () if name not in found.values()]
    lines = [f"  {key}: {_cell(name)}" for key, name in found.items()]
    lines += ["  properties:", *(f"    {_quoted(name)}: {_cell(name)}" for name in rest)] if rest else []
    return _made(table, "event", lines)


_SAID = {"lead": "lead", "name": "event's name", "at": "instant"}


def _usual_leads(table: Table, project: Project) -> RowMapping:
    """Columns named as campaigns know them; those nobody knows are left out."""
    built_in = ("email", "external_id", "first_name", "last_name", "name", "phone", "country", "locale", "timezone")
    known = [n for n in table.header or () if n in (*built_in, "source", "owner", "created_at")]
    if not {"email", "external_id"} & set(known):
        raise UserError(
            f"{table.path.name} has neither a column 'email' nor 'external_id'", hint="say it with --mapping MAP.yaml"
        )
    own = [n for n in table.header or () if n in project.attributes and n not in known]
    lines = [f"  {name}: {_cell(name)}" for name in known]
    lines += ["attributes:", *(f"  {_quoted(name)}: {_cell(name)}" for name in own)] if own else []
    return _made(table, "lead", lines)


def _made(table: Table, block: str, lines: Sequence[str]) -> RowMapping:
    read, problems = read_mapping(f"columns of {table.path.name}", "\n".join([f"{block}:", *lines, ""]))
    if read is None:
        raise ProjectProblems(errors(problems))
    return read


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cell(column: str) -> str:
    if column.isidentifier() and column.isascii():
        return _quoted(f"{{{{ row.{column} }}}}")
    inner = column.replace("\\", "\\\\").replace("'", "\\'")
    return _quoted(f"{{{{ row['{inner}'] }}}}")

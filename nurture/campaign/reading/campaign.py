"""One campaign file: its tree read into a CampaignSpec."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from msgspec import structs

from nurture.campaign import plan
from nurture.campaign.plan import Migration
from nurture.campaign.problems import Mark
from nurture.campaign.project import Project
from nurture.campaign.reading.cases import TESTS
from nurture.campaign.reading.context import Context, Scene
from nurture.campaign.reading.entries import ENTER, read_enter
from nurture.campaign.reading.kinds import Got, Key, ListOf, MapOf, Raw, Record
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Flag, Name, Number, Text
from nurture.campaign.reading.schema import Schema, document
from nurture.campaign.reading.steps import STEPS_KIND, read_steps, steps_schema
from nurture.campaign.reading.triggers import EXITS, GOAL
from nurture.campaign.reading.windows import WINDOW
from nurture.campaign.source import Findings, Mapping, read_tree
from nurture.campaign.spec import Arm, CampaignSpec, StepSpec, every_step

STATES = ("draft", "live", "paused", "retired")


def _migration(got: Got, at: Context) -> Migration | None:
    return Migration(got["from"], got["map"]) if got.whole("from", "map") else None


_MIGRATION = Record(
    "a migration",
    {
        "from": Key(
            Text("a version"), "The version left, by the beginning of its hash.", required=True, example="4f1c"
        ),
        "map": Key(
            MapOf(Name("a step's id"), "'map'"),
            "Old step ids and where those on them go.",
            required=True,
            example={"old-hello": "hello"},
        ),
    },
    _migration,
)
_ENTER = {"event": "cart_updated", "key": "cart_id", "settle": "1h"}
_GOAL = {"event": "order_completed", "value": "total", "move": "customer"}
_EXIT = [{"event": "mail.replied"}]
_OPEN = {"days": "mon-fri", "between": "09:00-18:00"}
_MOVED = {"from": "4f1c", "map": {"old-hello": "hello"}}
_TEST = {
    "name": "who asks for the letter gets the first mail at once",
    "lead": {"email": "anna@example.com", "consents": ["newsletter"]},
    "events": [{"at": "1h", "cart_updated": {"cart_id": "c1"}}],
    "expect": {"sent": ["welcome/hello at 1h"]},
}
CAMPAIGN = Record(
    "a campaign",
    {
        "campaign": Key(
            Name("a campaign's name", dots=False),
            "The stable name, unique in the project.",
            required=True,
            example="welcome",
        ),
        "title": Key(Text("a title"), "What people call it.", example="Welcome to the tea letter"),
        "topic": Key(Declared("topic"), "What the lead agreed to; needed when a step sends marketing mail."),
        "on_withdrawal": Key(
            Choice(("exit", "stay")), "Who withdraws the topic leaves (exit), or stays for the rest.", default="exit"
        ),
        "priority": Key(Number("a priority", 0, 100, whole=True), "0 to 100, the higher goes first.", default=50),
        "state": Key(
            Choice(STATES), "draft never enters, paused stands still, retired takes nobody in.", default="live"
        ),
        "enter": Key(Raw(lambda: ENTER), "How leads come in.", required=True, example=_ENTER),
        "goal": Key(
            Raw(lambda: GOAL), "What it is for: reached anywhere, it counts and ends the enrollment.", example=_GOAL
        ),
        "exit": Key(Raw(lambda: EXITS), "What ends it without the goal.", example=_EXIT),
        "window": Key(WINDOW, "When its mails may go; else the project's window.", example=_OPEN),
        "steps": Key(Raw(lambda: STEPS_KIND), "What happens, in order.", required=True),
        "tests": Key(Raw(lambda: TESTS), "Played by 'nurture test'.", example=[_TEST]),
        "on_change": Key(
            Choice(("pin", "migrate", "drain", "exit")), "What a new version means for those inside.", default="pin"
        ),
        "pin_templates": Key(Flag(), "Mails keep the templates of the entry.", default=False),
        "migrations": Key(ListOf(_MIGRATION), "Where those standing on removed steps go.", example=[_MOVED]),
        "note": Key(Text(), "For the reader.", example="see the plan of the spring sale"),
    },
)


def read_spec(file: str, text: str, project: Project, findings: Findings) -> CampaignSpec | None:
    """The campaign in this file as far as it could be read, so that its rules are judged with all the rest; None where
    it has no shape to go on with. What had a problem is left out, so a spec with errors must not be compiled."""
    tree = read_tree(file, text, findings)
    if tree is None:
        if not any(p.mark.file == file for p in findings.problems):
            findings.add(Mark(file), "N100", "the file is empty", "a campaign begins with 'campaign: NAME'")
        return None
    at = Context(findings, project)
    got = CAMPAIGN.collect(tree, at, "a campaign") if isinstance(tree, Mapping) else CAMPAIGN.read(tree, at)
    if got is None:
        return None
    name = got["campaign"] or ""
    entry = read_enter(got.nodes["enter"], at.within(Scene(name))) if "enter" in got else None
    scene = replace(entry.scene if entry else Scene(unsure=True), enrolled=True, campaign=name)
    inside = at.within(scene)
    goal = GOAL.read(got.nodes["goal"], inside) if "goal" in got else None
    exits = EXITS.read(got.nodes["exit"], inside) if "exit" in got else ()
    steps = read_steps(got.nodes["steps"], inside) if "steps" in got else None
    tests = TESTS.read(got.nodes["tests"], inside) if "tests" in got else ()
    return CampaignSpec(
        mark=got.mark_of("campaign"),
        name=name,
        enter=(entry and entry.enter) or plan.EnterManual(),
        steps=identify(steps or (), findings),
        title=got.get("title", ""),
        state=got.get("state", "live"),
        priority=got.get("priority", 50),
        topic=got["topic"],
        topic_unread="topic" in got and got["topic"] is None,
        on_withdrawal=got.get("on_withdrawal", "exit"),
        on_change=got.get("on_change", "pin"),
        pin_templates=bool(got["pin_templates"]),
        only_if=entry.only_if if entry else None,
        again=entry.again if entry else None,
        goal=goal,
        exits=exits or (),
        window=got["window"],
        migrations=got.get("migrations", ()),
        tests=tests or (),
        entry=scene.entry,
        references=at.references,
        complete=not at.lost and steps is not None,
    )


def identify(steps: tuple[StepSpec, ...], findings: Findings) -> tuple[StepSpec, ...]:
    """Every step with an id of its own. Two that are told apart by nothing are a problem where a mail, a notice or a
    draw hangs on it; others are numbered in the order they are written."""
    counted = Counter(s.step.id for s in every_step(steps) if s.written)
    taken: dict[str, StepSpec] = {}
    for step in every_step(steps):
        name = step.step.id
        if step.written and name in taken and taken[name].written:
            line = taken[name].mark.line
            findings.add(step.mark, "N320", f"the id '{name}' is written twice; the first is on line {line}")
        elif step.written:
            taken[name] = step
    first: dict[str, int] = {}

    def named(step: StepSpec) -> StepSpec:
        name = step.step.id
        if not step.written:
            name = unwritten(step)
        return replace(step, step=structs.replace(step.step, id=name), arms=tuple(walk(arm) for arm in step.arms))

    def unwritten(step: StepSpec) -> str:
        name = step.step.id
        if isinstance(step.step, plan.Send | plan.Notify | plan.Split) and (name in first or name in counted):
            line = first.get(name) or taken[name].mark.line
            what = "split" if isinstance(step.step, plan.Split) else f"'{name}'"
            message = f"{what} stands here again; the first is on line {line}, and nothing tells them apart"
            findings.add(step.mark, "N320", message, "give this step an 'id' of its own")
        first.setdefault(name, step.mark.line)
        number = 1
        while name in counted:
            number += 1
            name = f"{step.step.id}-{number}"
        counted[name] += 1
        return name

    def walk(arm: Arm) -> Arm:
        return replace(arm, steps=tuple(named(step) for step in arm.steps))

    return tuple(named(step) for step in steps)


def campaign_schema() -> Schema:
    """JSON Schema (2020-12) of a campaign file. It knows shapes, not what a project declares."""
    defs: dict[str, Schema] = {}
    steps_schema(defs)
    return document(
        "nurture campaign", "Who comes in, what happens to them in order, what ends it.", CAMPAIGN.schema(defs), defs
    )

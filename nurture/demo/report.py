"""What the demo tells on the terminal: how it begins, a line that lives while it plays, and the end."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nurture.demo.play import Tally
from nurture.demo.setting import Setting
from nurture.demo.shop import World
from nurture.engine.imports import Summary
from nurture.engine.report import funnel_report
from nurture.inbox.letter import Letter

if TYPE_CHECKING:
    from nurture.demo.run import Played

_SHOWN = (  # what a line of the day counts, by what it is called in the tally
    ("leads", "lead"),
    ("baskets", "cart_updated"),
    ("orders", "order_completed"),
    ("letters asked for", "form letter"),
    ("guides", "form guide"),
)
_REACTIONS = (("confirmed", "confirm"), ("answered", "answer"), ("unsubscribed", "unsubscribe"))
DAY = timedelta(days=1)


class Teller:
    """Speaks to one console. On a terminal a line lives; elsewhere there is one for every day."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begun(self, setting: Setting, world: World, history: Sequence[Summary], campaigns: int) -> None:
        say = self._say
        days = (world.end - world.start).days
        say(
            f"[bold]Maison Frunza[/], a made-up tea house in Paris and Cluj: {len(world.people)} people, {days} days "
            f"from {world.start:%-d %B %Y} on."
        )
        known = history[0].new if history else 0
        say(f"{known} old customers imported, {campaigns} campaigns deployed. The inbox is open: {setting.inbox_url}")
        say()

    @contextmanager
    def watching(self, world: World) -> Iterator[Callable[[datetime, Tally], None]]:
        """Gives what to call after every step."""
        if not self._console.is_terminal:
            yield self._plain_lines(world)
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            yield lambda now, tally: live.update(_panel(world, now, tally))

    def _plain_lines(self, world: World) -> Callable[[datetime, Tally], None]:
        told = world.start

        def tell(now: datetime, tally: Tally) -> None:
            nonlocal told
            if now - told >= DAY or now >= world.end:
                told = now
                self._say(_line(now, tally))

        return tell

    def ended(self, played: Played) -> None:
        """The funnels, the mails, who came and left, and where to look."""
        say, tally = self._say, played.tally
        letters = played.inbox.letters()
        say()
        self._funnels(played)
        self._console.print(_mails(letters))
        say()
        left = sum(len(each) for each in tally.left.values())
        say(
            f"{tally.reactions['confirm']} people confirmed their opt-in, {tally.reactions['answer']} answered a form "
            f"they were sent, {left} unsubscribed."
        )
        self._addresses(played, letters)
        languages = ", ".join(f"{count} {_LANGUAGES.get(name, name)}" for name, count in _languages(letters))
        say(f"[bold green]{len(letters):,} mails were sent[/] ({languages}) in {played.seconds:.0f} seconds.")

    def staying(self, setting: Setting) -> None:
        self._say(f"The inbox stays open at {setting.inbox_url}; press Ctrl-C to stop.")

    def _funnels(self, played: Played) -> None:
        from nurture.cli.report_forms import table

        app = played.app
        width = min(self._console.width, 110)
        with app.database.read() as tx:
            for name in app.settings.project.funnels:
                report = funnel_report(tx, app.settings.project, app.clock.now(), funnel=name)
                self._console.print(table(report, f"Funnel: {name}", width))
                self._console.print()

    def _addresses(self, played: Played, letters: Sequence[Letter]) -> None:
        """Where to look; each address whole, on a line of its own."""
        base, folder = played.setting.base_url, os.path.relpath(played.setting.root)
        example = next((each for each in reversed(letters) if each.marketing), None)
        paths = example.paths(base) if example else []
        found = [("the inbox", played.setting.inbox_url)]
        for label, start in (("an unsubscribe page", "u/"), ("a preference page", "p/")):
            found += [(label, f"{base}/{path}") for path in paths if path.startswith(start)][:1]
        found += [("a sign-up form", f"{base}/f/letter"), ("for programs", f"{base}/openapi.json")]
        if not played.kept:
            found = [("all mails", os.path.relpath(played.mails))]
        someone = example.recipient if example else "LEAD"
        found += [
            ("one lead", f"{_command()} leads show {someone} --project {folder}"),
            ("the funnel again", f"{_command()} report funnel --project {folder}"),
        ]
        for label, address in found:
            self._say(f"  {label:<20} {address}")
        if not played.kept:
            self._say("Unsubscribe links, forms and the inbox answer while the demo is up: `make demo KEEP=1`.")
        self._say()

    def _say(self, text: str = "") -> None:
        """One line, which nothing breaks."""
        self._console.print(text, soft_wrap=True)


def _command() -> str:
    """How the user can call `nurture`: the one beside this Python, else the one in the path."""
    beside = Path(sys.executable).with_name("nurture")
    return os.path.relpath(beside) if beside.exists() else "nurture"


_LANGUAGES = {"fr": "in French", "en": "in English", "ro": "in Romanian"}


def _languages(letters: Sequence[Letter]) -> list[tuple[str, int]]:
    return Counter(each.language for each in letters).most_common()


def _mails(letters: Sequence[Letter]) -> Table:
    """Mails by campaign and language."""
    languages = [name for name, _ in _languages(letters)]
    counts = Counter((each.campaign, each.language) for each in letters)
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column("mails of the campaign")
    for name in (*languages, "all"):
        made.add_column(name or "–", justify="right")
    for campaign in sorted({each.campaign for each in letters}, key=lambda name: (name == "", name)):
        row = [counts[campaign, language] for language in languages]
        shown = [f"{count:,}" if count else "·" for count in (*row, sum(row))]
        made.add_row(campaign or Text("confirmations asked for", style="dim"), *shown)
    return made


def _line(now: datetime, tally: Tally) -> str:
    """A day on one line."""
    mails = ", ".join(f"{name or '–'} {count}" for name, count in sorted(tally.languages.items()))
    counted = [f"{tally.happened[name]} {label}" for label, name in _SHOWN]
    counted += [f"{tally.reactions[name]} {label}" for label, name in _REACTIONS]
    return f"{now:%a %d %b}  {', '.join(counted)}; mails: {tally.languages.total()} ({mails})"


def _panel(world: World, now: datetime, tally: Tally) -> Group:
    """What lives on the terminal: the day, how far it is, and the counts."""
    done = (now - world.start) / (world.end - world.start)
    head = Table.grid(padding=(0, 2))
    width = min(40, max(10, shutil.get_terminal_size().columns - 40))
    head.add_row(Text(f"{now:%a %d %B %Y, %H:%M}", style="bold"), ProgressBar(total=1.0, completed=done, width=width))
    counts = Table.grid(padding=(0, 2))
    counts.add_row(Text("people", style="dim"), _counts(_SHOWN, tally.happened))
    counts.add_row(
        Text("mails", style="dim"), _counts([(n or "–", n) for n in sorted(tally.languages)], tally.languages)
    )
    counts.add_row(Text("answers", style="dim"), _counts(_REACTIONS, tally.reactions))
    return Group(head, counts)


def _counts(shown: Sequence[tuple[str, str]], counts: Counter[str]) -> Text:
    text = Text()
    for label, name in shown:
        text.append(f"{counts[name]}", style="bold").append(f" {label}   ")
    return text

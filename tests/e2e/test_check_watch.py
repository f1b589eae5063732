"""`nurture check --watch` as a process beside an editor."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.test_check_command import CONFIG, GOOD, MAIL, put
from tests.peers.ground import until

COMMAND = [sys.executable, "-c", "from nurture.cli import main; main()"]
BAD = GOOD.replace("steps:", "stpes:")
FINE = "1 campaign with 0 tests: no problems"


@dataclass
class Watcher:
    """A command that goes on; `lines` is what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def says(self, holds: Callable[[str], bool], after: int = 0) -> str:
        """The first line from there on that does, once it is there."""
        assert until(lambda: any(map(holds, self.lines[after:]))), self.lines
        return next(filter(holds, self.lines[after:]))

    def ended(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@contextmanager
def watching(root: Path, *words: str) -> Iterator[Watcher]:
    process = subprocess.Popen(
        [*COMMAND, "--project", str(root), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What runs the tests in the background may have had them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watcher = Watcher(process)
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: watcher.lines.extend(map(str.rstrip, iter(process.stdout.readline, ""))))  # type: ignore[union-attr]
    reader.start()
    try:
        yield watcher
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    put(tmp_path, {"config.yaml": CONFIG, "campaigns/thanks.yaml": GOOD, "templates/thanks.html": MAIL})
    return tmp_path


def test_every_change_is_a_pass_of_its_own(project: Path) -> None:
    with watching(project, "check", "--watch") as watcher:
        watcher.says(lambda line: line == FINE)
        put(project, {"campaigns/thanks.yaml": BAD})
        watcher.says(lambda line: "unknown key 'stpes'" in line)
        first = len(watcher.lines)
        put(project, {"campaigns/thanks.yaml": GOOD})
        watcher.says(lambda line: line.endswith("campaigns/thanks.yaml changed"), first)
        watcher.says(lambda line: line == FINE, first)


def test_what_is_broken_or_missing_for_a_while_ends_nothing(project: Path) -> None:
    with watching(project, "check", "--watch") as watcher:
        watcher.says(lambda line: line == FINE)
        (project / "campaigns/thanks.yaml").write_text("campaign: [")
        watcher.says(lambda line: "error N101" in line)
        (project / "templates").rename(project / "away")
        watcher.says(lambda line: "templates/thanks.html changed" in line)
        (project / "config.yaml").rename(project / "config.old")
        watcher.says(lambda line: "cannot read config.yaml" in line)
        back = len(watcher.lines)
        put(project, {"config.yaml": CONFIG, "campaigns/thanks.yaml": GOOD, "templates/thanks.html": MAIL})
        watcher.says(lambda line: line == FINE, back)


def test_a_save_by_renaming_is_seen(project: Path) -> None:
    with watching(project, "check", "--watch") as watcher:
        watcher.says(lambda line: line == FINE)
        put(project, {"campaigns/.thanks.yaml.swp": BAD})
        (project / "campaigns/.thanks.yaml.swp").replace(project / "campaigns/thanks.yaml")
        watcher.says(lambda line: "unknown key 'stpes'" in line)


def test_for_a_program_each_pass_is_one_document_on_one_line(project: Path) -> None:
    with watching(project, "check", "--watch", "--format", "json") as watcher:
        watcher.says(lambda line: line == "[]")
        put(project, {"campaigns/thanks.yaml": BAD})
        watcher.says(lambda line: line not in ("", "[]"))
        codes = [{problem["code"] for problem in json.loads(line)} for line in watcher.lines]
        assert codes == [set(), {"N112"}]


def test_no_terminal_is_cleared_where_there_is_none(project: Path) -> None:
    with watching(project, "check", "--watch") as watcher:
        watcher.says(lambda line: line == FINE)
        assert "\x1b" not in "".join(watcher.lines)


def test_on_a_terminal_each_pass_has_the_screen_for_itself(project: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, "--project", str(project), "check", "--watch"], stdout=theirs)
    try:
        shown = ""
        while FINE not in shown:
            shown += os.read(ours, 4096).decode()
        assert shown.startswith("\x1b[2J")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_an_interruption_is_how_it_ends(project: Path) -> None:
    with watching(project, "check", "--watch") as watcher:
        watcher.says(lambda line: line == FINE)
        assert watcher.ended() == 0

"""The tutorial, walked literally: a folder of one's own, every file, command and click of the page.

Only the two ports are others, so that it can be walked where they are taken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import ROOT
from tests.docs.tutorial import PAGE, Change, Command, Mark, Save, is_as_shown, put_section, steps
from tests.peers.ground import free_port, listens, until

PORTS = ("8025", "8026")  # of the page: the endpoint's, the inbox's
PATIENCE = 60.0  # seconds for a process to come up, or a mail to arrive, on a busy machine


class Walk:
    """Somebody who follows the page, in `here`."""

    def __init__(self, folder: Path) -> None:
        self.here = folder
        self._ports = {port: str(free_port()) for port in PORTS}
        self._up: list[subprocess.Popen[bytes]] = []
        (folder / "bin").mkdir()
        program = folder / "bin" / "nurture"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from nurture.cli import main; main()" "$@"\n')
        program.chmod(0o755)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        self._env = {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "80"}

    def save(self, step: Save) -> None:
        path = self.here / step.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(put_section(path.read_text(), step.section, step.text) if step.section else step.text)

    def change(self, step: Change) -> None:
        path = self.here / step.file
        text = path.read_text()
        assert text.count(step.old) == 1, f"'{step.old}' stands {text.count(step.old)} times in {step.file}"
        path.write_text(text.replace(step.old, step.new))

    def run(self, step: Command) -> None:
        line, shown = self._ported(step.line), self._ported(step.shown)
        if line.startswith("cd "):
            self.here /= line.removeprefix("cd ")
        elif step.mark.startswith("stays up"):
            self._start(line, int(self._ported(step.mark.split()[-1])))
        elif step.mark == "in a moment":
            assert until(lambda: is_as_shown(self._output(line), shown), PATIENCE), self._output(line)
        else:
            output = self._output(line)
            assert is_as_shown(output, shown), f"{line}\n--- printed\n{output}\n--- shown\n{shown}"
        if line.startswith("nurture init "):
            config = self.here / line.split()[-1] / "config.yaml"
            config.write_text(self._ported(config.read_text()))

    def act(self, step: Mark) -> None:
        """What a reader does in the browser."""
        verb, _, rest = step.text.partition(" ")
        match verb:
            case "submit":
                form, _, fields = rest.partition(" ")
                answer = httpx.post(self._url(0, f"/f/{form}"), json=json.loads(fields), timeout=PATIENCE)
                assert answer.json() == {"success": True}
            case "inbox":
                assert self._mail(rest.removeprefix("shows ")), f"no such mail came: {rest}"
            case "confirm":
                mail = httpx.get(self._url(1, f"/mail/{self._mail(rest)}/html"), timeout=PATIENCE).text
                (link, *_) = re.findall(r'href="(http://127\.0\.0\.1:\d+/c/[^"]+)"', mail)
                assert httpx.post(link, timeout=PATIENCE).status_code == 200
            case _:
                pytest.fail(f"nobody knows how to do this: {step.text}")

    def _mail(self, subject: str) -> str:
        """The number of the mail in the inbox, once it is there."""
        row = re.compile(
            rf'href="/mail/(\d+)[^"]*"(?:(?!</a>).)*<span class="subject">{re.escape(subject)}<', re.DOTALL
        )

        def found() -> re.Match[str] | None:
            return row.search(httpx.get(self._url(1, "/"), timeout=PATIENCE).text)

        assert until(lambda: found() is not None, PATIENCE), f"'{subject}' has not come"
        match = found()
        assert match is not None
        return match[1]

    def _start(self, line: str, port: int) -> None:
        with (self.here / f"{port}.log").open("wb") as log:
            self._up.append(subprocess.Popen(line.split(), cwd=self.here, env=self._env, stdout=log, stderr=log))
        assert until(lambda: listens(port), PATIENCE), (self.here / f"{port}.log").read_text()

    def _output(self, line: str) -> str:
        done = subprocess.run(
            line.split(),
            cwd=self.here,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    def _url(self, which: int, path: str) -> str:
        return f"http://127.0.0.1:{self._ports[PORTS[which]]}{path}"

    def _ported(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = text.replace(shown, real)
        return text

    def end(self) -> None:
        for process in self._up:
            process.terminate()
        for process in self._up:
            process.wait(PATIENCE)


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    walking = Walk(tmp_path)
    yield walking
    walking.end()


@pytest.mark.slow
@pytest.mark.timeout(400)  # a dozen commands and two processes; 20 seconds on an idle machine
def test_the_tutorial_can_be_walked_to_its_end(walk: Walk) -> None:
    for step in steps(PAGE.read_text()):
        match step:
            case Save():
                walk.save(step)
            case Change():
                walk.change(step)
            case Command():
                walk.run(step)
            case Mark():
                walk.act(step)

"""P1–P3: the whole pass over leads that each have one mail due, with every guard on.

    python benchmarks/p01_whole_pass.py [--leads 10000] [--runs 3] [--large] [--folder DIR] [--without-peer]

P1 against django-drip-campaigns on the same leads, mail and sink; P2 against ready-made mails through our own client;
P3 processor time a mail and peak memory. Runs are interleaved, so that a
busy moment of the machine hits all sides; each worker is a fresh process on a fresh copy of the shop. Databases lie in
memory where there is a file system for it (`--folder` says another place), so that a slow disk does not pass for slow
software: a disk that syncs slowly costs the peer, which commits each mail, far more than us.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import figures
import p05_smtp_client
import shop
import sink
import structlog
import uvloop

HERE = Path(__file__).parent
PEERS = HERE / ".venv-peers"
Runs = dict[str, list[float]]


def peer_python() -> str:
    """The interpreter that has the peers, made when it is first needed."""
    python = PEERS / "bin" / "python"
    stamp = PEERS / ".installed"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(HERE / "requirements-peers.txt")], check=True)
        stamp.touch()
    return str(python)


def one(command: list[str], leads: int) -> dict[str, Any]:
    """What a run in a process of its own says; ends the program where not every mail was sent."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told["states"] != {"sent": leads}:
        raise SystemExit(f"of {leads} mails: {told['states']}")
    return told


class Sides:
    """Everything that is run, once made ready."""

    def __init__(self, folder: Path, port: int, leads: int, *, peer: bool) -> None:
        self.folder, self.port, self.leads = folder, port, leads
        self.made = folder / f"shop-{leads}"
        shop.make(self.made, port, leads)
        self.peer = peer_python() if peer else None
        if self.peer:
            work = folder / "work.json"
            work.write_text(json.dumps(shop.work(leads)), "utf-8")
            self._theirs("make", str(folder / f"drip-{leads}.db"), str(work))

    def ours(self) -> dict[str, Any]:
        run = self.folder / "run"
        shop.copy(self.made, run)
        return one([sys.executable, str(HERE / "one_pass.py"), str(run)], self.leads)

    def theirs(self) -> dict[str, Any]:
        assert self.peer is not None
        run = self.folder / "drip-run.db"
        shutil.copy(self.folder / f"drip-{self.leads}.db", run)
        return one([self.peer, str(HERE / "django_drip.py"), "run", str(run), str(self.port)], self.leads)

    def ready_made(self) -> float:
        return uvloop.run(p05_smtp_client.ours(self.port, self.leads, 10))

    def _theirs(self, *arguments: str) -> None:
        assert self.peer is not None
        subprocess.run([self.peer, str(HERE / "django_drip.py"), *arguments], check=True, cwd=HERE)


def measure(sides: Sides, runs: int) -> dict[str, Any]:
    """All sides in turn, `runs` times; prints and returns their figures."""
    speeds: Runs = {"nurture": [], "ready-made": [], "django-drip": []}
    worked, peaks, their_peaks = [], [], []
    for _ in range(runs):
        told = sides.ours()
        speeds["nurture"].append(sides.leads / told["seconds"])
        worked.append(told["processor_s"] / sides.leads * 1e6)
        peaks.append(told["peak_mb"])
        speeds["ready-made"].append(sides.ready_made())
        if sides.peer:
            told = sides.theirs()
            speeds["django-drip"].append(sides.leads / told["seconds"])
            their_peaks.append(told["peak_mb"])
    print(f"P1–P3 with {sides.leads:,} leads")
    found: dict[str, Any] = {name: figures.spread(name, each, "mails/s") for name, each in speeds.items() if each}
    if sides.peer:
        ratio = _median(speeds["nurture"]) / _median(speeds["django-drip"])
        found["p1"] = figures.verdict("P1 against django-drip", ratio, "≥ 30", met=ratio >= 30)
        found["django-drip peak"] = figures.spread("django-drip peak memory", their_peaks, "MB")
    share = _median(speeds["nurture"]) / _median(speeds["ready-made"])
    found["p2"] = figures.verdict("P2 against ready-made", share, "≥ 0.25", met=share >= 0.25)
    found["p3_us"] = figures.spread("P3 processor time a mail", worked, "µs (goal ≤ 100)")
    found["p3_mb"] = figures.spread("P3 peak memory", peaks, "MB (goal ≤ 150)")
    return found


def _median(found: list[float]) -> float:
    return statistics.median(found)


@contextmanager
def workplace(chosen: Path | None) -> Iterator[Path]:
    memory = Path("/dev/shm")
    parent = chosen or (memory if os.access(memory, os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="nurture-bench-", dir=parent) as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also with ten times as many leads, once")
    parser.add_argument("--folder", type=Path, help="where the databases lie")
    parser.add_argument("--without-peer", action="store_true", help="leave django-drip out, which takes the longest")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with sink.running() as port, workplace(arguments.folder) as folder:
        small = Sides(folder, port, arguments.leads, peer=not arguments.without_peer)
        report = {str(arguments.leads): measure(small, arguments.runs)}
        if arguments.large:
            large = Sides(folder, port, arguments.leads * 10, peer=not arguments.without_peer)
            report[str(large.leads)] = measure(large, 1)
    figures.keep("whole pass", report)


if __name__ == "__main__":
    main()

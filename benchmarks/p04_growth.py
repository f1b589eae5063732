"""P4: what a mail costs among ever more leads, as figures and as a drawing.

    python benchmarks/p04_growth.py [--sizes 1000 10000 100000] [--runs 3] [--folder DIR] [--drawing FILE.svg]

Processor time in the worker a mail, the sizes in turn, so that a busy moment of the machine hits all of them.
"""

from __future__ import annotations

import argparse
import logging
import statistics
from pathlib import Path

import curve
import figures
import sink
import structlog
from p01_whole_pass import Sides, workplace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the databases lie")
    parser.add_argument("--drawing", type=Path, help="an SVG file to draw the curve into")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    costs: dict[int, list[float]] = {size: [] for size in arguments.sizes}
    peaks: dict[int, list[float]] = {size: [] for size in arguments.sizes}
    with sink.running() as port, workplace(arguments.folder) as folder:
        sides = [Sides(folder, port, size, peer=False) for size in arguments.sizes]
        for _ in range(arguments.runs):
            for side in sides:
                told = side.ours()
                costs[side.leads].append(told["processor_s"] / side.leads * 1e6)
                peaks[side.leads].append(told["peak_mb"])
    print("P4 processor time a mail, and peak memory")
    report: dict[str, object] = {}
    for size in arguments.sizes:
        report[f"{size} us"] = figures.spread(f"{size:,} leads", costs[size], "µs")
        report[f"{size} mb"] = figures.spread("", peaks[size], "MB")
    # The least of each: what else runs on the machine makes a run dearer, never cheaper.
    few, many = min(costs[arguments.sizes[-2]]), min(costs[arguments.sizes[-1]])
    report["p4"] = figures.verdict("P4 the most against ten times fewer", many / few, "≤ 1.1", met=many / few <= 1.1)
    figures.keep("growth", report)
    if arguments.drawing:
        points = [(size, statistics.median(found)) for size, found in costs.items()]
        weights = [(size, statistics.median(found)) for size, found in peaks.items()]
        arguments.drawing.write_text(curve.draw(points, weights), "utf-8")


if __name__ == "__main__":
    main()

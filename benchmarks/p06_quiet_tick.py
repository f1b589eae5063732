"""P6, first half: a tick among many enrollments of which none is due.

    python benchmarks/p06_quiet_tick.py [--enrollments 100000] [--ticks 50] [--folder DIR]

A tick is what the embedded worker does each second: the passes over all shards, and a look into the outbox.
"""

from __future__ import annotations

import argparse
import logging
import time
from datetime import timedelta
from pathlib import Path

import figures
import shop
import structlog
from p01_whole_pass import workplace
from sqlalchemy import text

from nurture.app import App, open_app
from nurture.clock import machine_now
from nurture.worker import Worker, settle_in

SEED = 1_000  # enrollments that are made properly; the others are copies for leads of their own
COPY = """
WITH RECURSIVE far(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM far WHERE n < :times)
INSERT INTO enrollments ({names}, lead_id, shard)
SELECT {names}, lead_id + far.n * :seed, (lead_id + far.n * :seed) * 40503 % 65536 / 1024 FROM enrollments, far
"""


def crowd(app: App, enrollments: int) -> None:
    """So many enrollments, all due tomorrow."""
    with app.database.write() as tx:
        columns = [row[1] for row in tx.execute(text("PRAGMA table_info(enrollments)"))]
        names = ", ".join(f'"{name}"' for name in columns if name not in ("id", "lead_id", "shard"))
        tx.execute(text(COPY.format(names=names)), {"times": enrollments // SEED - 1, "seed": SEED})


def measure(app: App, ticks: int) -> list[float]:
    """Milliseconds of each tick, once everything is warm."""
    settle_in()
    passes, worker = app.passes(), Worker(app)
    dispatch = app.dispatch(worker.name, None)
    took = []
    for _ in range(ticks + 3):
        now, began = machine_now(), time.perf_counter()
        if passes.run(now) or dispatch._claim(None, 1_000) is not None:
            raise SystemExit("something was due")
        took.append((time.perf_counter() - began) * 1000)
    return took[3:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--enrollments", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="where the database lies")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    report = {}
    with workplace(arguments.folder) as folder:
        for count in (arguments.enrollments // 10, arguments.enrollments):
            root = folder / f"shop-{count}"
            shop.make(root, 9, SEED, due=timedelta(days=1))
            app = open_app(root, {})
            crowd(app, count)
            print(f"P6 with {count:,} enrollments, none due")
            report[str(count)] = figures.spread("a tick", measure(app, arguments.ticks), "ms (goal ≤ 10 at 1M)")
            app.database.close()
    figures.keep("quiet tick", report)


if __name__ == "__main__":
    main()

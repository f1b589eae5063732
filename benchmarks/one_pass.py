"""One worker's pass over a shop, in a process of its own: `python benchmarks/one_pass.py FOLDER`.

Prints JSON: mails sent, seconds from the first look at the database to the last settled outcome, processor seconds of
the same stretch, and the largest resident memory of the whole process.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import memory
import structlog
import uvloop
from sqlalchemy import text

from nurture.app import App, open_app
from nurture.worker import Worker, settle_in


async def play(app: App) -> tuple[float, float]:
    settle_in()
    worker = Worker(app)
    began, worked = time.perf_counter(), time.process_time()
    await worker.once()
    return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app = open_app(Path(sys.argv[1]), {})
    took, worked = uvloop.run(play(app))
    with app.database.read() as tx:
        found = tx.execute(text("SELECT state, count(*) FROM messages GROUP BY state"))
        states = dict(tuple(row) for row in found)
    peak = memory.peak_mb()
    print(json.dumps({"states": states, "seconds": took, "processor_s": worked, "peak_mb": peak}))


if __name__ == "__main__":
    main()

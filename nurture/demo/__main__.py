"""`make demo`: the example shop, come alive on this machine."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from rich.console import Console

from nurture import logs
from nurture.demo.report import Teller
from nurture.demo.run import Wish, run
from nurture.errors import EXIT_DONE, EXIT_INTERRUPTED, NurtureError


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 played, 1 the user can mend it, 3 ours, 130 interrupted."""
    asked = _parser().parse_args(arguments)
    logs.set_up(logging.WARNING)
    wish = Wish(asked.project, asked.leads, asked.weeks, asked.seconds, asked.keep)
    try:
        played = asyncio.run(run(wish, Teller(Console(highlight=False))))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except NurtureError as error:
        Console(stderr=True, highlight=False).print(str(error), error.hint or "", sep="\n", markup=False)
        return error.exit_code
    return EXIT_DONE if played.whole else EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m nurture.demo", description="The example shop, come alive.")
    made.add_argument("--keep", action="store_true", help="stay up at the end, until Ctrl-C")
    made.add_argument("--leads", type=_number, default=240, help="how many people come (240)")
    made.add_argument("--weeks", type=_number, default=5, help="how many weeks are played (5)")
    made.add_argument("--seconds", type=float, default=0.0, help="take at least so long, to be watched (0)")
    made.add_argument("--project", type=Path, default=Path.cwd(), help="the example project (this folder)")
    return made


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError("between 1 and 10,000")
    return number


if __name__ == "__main__":
    sys.exit(main())

"""X7: do the times of answers tell whether somebody is known here?

    python benchmarks/x07_same_time.py [--times 1000] [--folder DIR]

The endpoint answers in this process, over a SQLite file that syncs. Kinds of requests take turns, so that what else
the machine does meets all alike. D is the distance of Kolmogorov and Smirnov between the times of two kinds, and p how
often chance alone puts two equal ones that far apart: below 0.01 means that the times can be told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import httpx
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from nurture.mail.links import Links
from tests.e2e.web_world import Endpoint, running

Request = Callable[[int], httpx.Request]
FOREIGN = Links("https://acme.example", ["another secret"])
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
GONE = 10_000_000


def distance(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """(D, p) of two samples; p by the limit for large ones."""
    steps = sorted([(t, 1 / len(one)) for t in one] + [(t, -1 / len(other)) for t in other])
    apart, most = 0.0, 0.0
    for n, (at, step) in enumerate(steps):
        apart += step
        if n + 1 == len(steps) or steps[n + 1][0] != at:
            most = max(most, abs(apart))
    size = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    x = (size + 0.12 + 0.11 / size) * most
    chance = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)) if x > 0.2 else 1.0
    return most, min(1.0, max(0.0, chance))


def questions(world: Endpoint, leads: Sequence[int]) -> dict[str, dict[str, Request]]:
    """Kinds of requests that should look alike, by what is asked; the first kind is the one the others are held to."""
    links, client = world.links, world.client

    def get(make: Callable[[int], str]) -> Request:
        return lambda n: client.build_request("GET", world.path(make(n)))

    def press(make: Callable[[int], str]) -> Request:
        return lambda n: client.build_request("POST", world.path(make(n)), data=ONE_CLICK)

    def fill(address: Callable[[int], str]) -> Request:
        return lambda n: client.build_request("POST", "/f/guide", data={"email": address(n), "topics": "letter"})

    def kinds(to: Callable[[Callable[[int], str]], Request], page: str) -> dict[str, Request]:
        def of(links: Links, lead: int) -> str:
            return links.unsubscribe(lead, "offers", lead) if page == "u" else links.preferences(lead)

        return {
            "known": to(lambda n: of(links, leads[n])),
            "gone": to(lambda n: of(links, GONE + n)),
            "foreign": to(lambda n: of(FOREIGN, leads[n])),
            "made up": to(lambda n: f"/{page}/{n:042}"),
        }

    return {
        "unsubscribe, looking": kinds(get, "u"),
        "preferences, looking": kinds(get, "p"),
        "form": {
            "known": fill(lambda n: f"known{n}@example.com"),
            "new": fill(lambda n: f"new{n}-{id(world)}@example.com"),
        },
        "unsubscribe, one click": kinds(press, "u"),
    }


async def measured(world: Endpoint, kinds: dict[str, Request], times: int) -> dict[str, list[float]]:
    """Milliseconds of each kind, in turns."""
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    names = list(kinds)
    for n in range(times):
        for place in range(len(names)):
            kind = names[(place + n) % len(names)]
            request = kinds[kind](n)
            began = time.perf_counter()
            answer = await world.client.send(request)
            took[kind].append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.status_code
    return took


async def compare(folder: Path, times: int, even: bool) -> None:
    async with running(folder, even=even, forms_per_hour=10**9, forms_in_all=10**9) as world:
        leads = [world.member(external=f"k{n}", email=f"known{n}@example.com") for n in range(times)]
        for question, kinds in questions(world, leads).items():
            took = await measured(world, kinds, times)
            first, *others = took
            for kind in others:
                apart, chance = distance(took[first], took[kind])
                middle = f"{median(took[first]):7.2f} ms {first}, {median(took[kind]):7.2f} ms {kind}"
                print(f"  {question:24} {middle:44} D {apart:.3f}  p {chance:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="where the databases lie")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name, even in (("at once, as it would be", False), ("at even times, as it is", True)):
            print(f"X7, buttons answered {name}; {arguments.times} of each kind")
            place = Path(folder) / str(even)
            place.mkdir()
            asyncio.run(compare(place, arguments.times, even))


if __name__ == "__main__":
    main()

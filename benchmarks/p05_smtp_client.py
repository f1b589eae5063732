"""P5: our SMTP client against `aiosmtplib.sendmail`, equal connections, at 0 ms and 20 ms a round trip.

    python benchmarks/p05_smtp_client.py [--mails 20000] [--runs 5] [--round-trip 0.02] [--json FILE]

The sink is Postfix's `smtp-sink` in a process of its own; a round trip is made by a relay that delays both ways' bytes.
Prints minimum, median and maximum of mails a second for each, and the ratio of the medians. Goal: 3.5 or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

import aiosmtplib
import figures
import sink
import structlog
import uvloop

from nurture.delivery.smtp import SmtpOptions, SmtpTransport
from nurture.delivery.transport import Mail, Result, Sent

HEAD = b"From: Shop <shop@example.com>\r\nTo: lead@example.net\r\nSubject: Your cart\r\n\r\n"
BODY = HEAD + b"<p>Still there?</p>\r\n" * 175  # 3.6 KB


class CountingWire:
    """Lets everything go and counts what arrived."""

    def __init__(self) -> None:
        self.sent = 0

    async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
        return {mail.id for mail in mails}

    def on_dot(self, mail: Mail, connection: int) -> None:
        pass

    def on_result(self, result: Result) -> None:
        if not isinstance(result, Sent):
            raise SystemExit(f"not sent: {result}")
        self.sent += 1


async def ours(port: int, count: int, connections: int) -> float:
    options = SmtpOptions("127.0.0.1", port, tls="none", connections=connections, mails_per_connection=10**9)
    transport, wire = SmtpTransport(options), CountingWire()
    mails = [Mail(n, f"b+{n}@bounce.example.com", f"lead{n}@example.net", BODY) for n in range(count)]
    began = time.perf_counter()
    await transport.send(mails, wire)
    took = time.perf_counter() - began
    await transport.aclose()
    assert wire.sent == count
    return count / took


async def theirs(port: int, count: int, connections: int) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for n in numbers:
            await client.sendmail(f"b+{n}@bounce.example.com", [f"lead{n}@example.net"], BODY)
        await client.quit()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return count / (time.perf_counter() - began)


class Delayed(asyncio.Protocol):
    """One side of the relay: hands bytes to the other side half a round trip later."""

    def __init__(self, seconds: float, onward: tuple[str, int] | None) -> None:
        self.seconds, self.onward = seconds, onward
        self.other: Delayed | None = None
        self.early: list[bytes] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.onward is not None:
            self.opening = asyncio.ensure_future(self.open())

    async def open(self) -> None:
        assert self.onward is not None
        _, other = await asyncio.get_running_loop().create_connection(lambda: Delayed(self.seconds, None), *self.onward)
        self.other, other.other = other, self
        for held in (self, other):
            early, held.early = held.early, []
            for data in early:
                held.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
        else:
            asyncio.get_running_loop().call_later(self.seconds, self.other.write, data)

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            asyncio.get_running_loop().call_later(self.seconds, self.other.transport.close)


def relay(port: int, onward: int, round_trip: float) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Delayed(round_trip / 2, ("127.0.0.1", onward)), "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(serve())


def measure(port: int, count: int, runs: int, connections: int) -> dict[str, object]:
    speeds: dict[str, list[float]] = {"nurture": [], "aiosmtplib": []}
    for _ in range(runs):  # interleaved, so that a busy moment of the machine hits both
        speeds["nurture"].append(uvloop.run(ours(port, count, connections)))
        speeds["aiosmtplib"].append(uvloop.run(theirs(port, count, connections)))
    result: dict[str, object] = {}
    for name, found in speeds.items():
        result[name] = figures.spread(name, found, "mails/s")
    ratio = statistics.median(speeds["nurture"]) / statistics.median(speeds["aiosmtplib"])
    result["p5"] = figures.verdict("P5 against aiosmtplib", ratio, "≥ 3.5", met=ratio >= 3.5)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--round-trip", type=float, default=0.02, help="seconds, for the second measurement")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--relay", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if arguments.relay:
        relay(*arguments.relay, arguments.round_trip)
        return
    again = [sys.executable, __file__]
    with sink.running() as port:
        distant = sink.free_port()
        process = subprocess.Popen(
            [*again, "--relay", str(distant), str(port), "--round-trip", str(arguments.round_trip)]
        )
        try:
            sink.wait_for(distant)
            report: dict[str, object] = {}
            print(f"P5 at 0 ms, {arguments.connections} connections")
            report["0"] = measure(port, arguments.mails, arguments.runs, arguments.connections)
            print(f"P5 at {arguments.round_trip * 1000:g} ms, {arguments.connections} connections")
            few, fewer_runs = max(arguments.connections * 20, arguments.mails // 10), max(1, arguments.runs - 2)
            report[f"{arguments.round_trip * 1000:g}"] = measure(distant, few, fewer_runs, arguments.connections)
        finally:
            process.terminate()
            process.wait()
    figures.keep("smtp client", report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

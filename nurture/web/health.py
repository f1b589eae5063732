"""For those who watch: `/healthz` (alive), `/readyz` (can do its work), `/metrics` (Prometheus)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.errors import NurtureError
from nurture.store import tallies
from nurture.store.backlog import SILENT, Backlog, backlog, prove_writable
from nurture.web.services import Services

_COUNTED = {
    "stored": "calls stored",
    "replay": "calls that had been stored before",
    "clash": "calls whose messageId was used for something else",
    "busy": "requests told to come again",
    "events": "events stored",
    "undeclared_events": "events of a name that config.yaml does not declare",
    "undeclared_properties": "properties that config.yaml does not declare",
    "refused_fields": "traits not taken, such as what is no address",
    "batches": "transactions",
}


class HealthRoutes:
    """The routes, over the endpoint's services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(services))

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", _alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]

    async def _ready(self, _request: Request) -> Response:
        checks = await run_in_threadpool(self._checks)
        ready = all(value == "ok" for value in checks.values())
        body = {"ready": ready, "checks": checks}
        return Response(msgspec.json.encode(body), 200 if ready else 503, media_type="application/json")

    def _checks(self) -> dict[str, str]:
        """What a working endpoint needs, each `ok` or what is wrong with it."""
        services = self._services
        now = services.clock.now()
        try:
            with services.database.write() as tx:
                prove_writable(tx, now)
            with services.database.read() as tx:
                behind = backlog(tx, now)
        except NurtureError as error:
            return {"database": error.message}
        checks = {"database": "ok", "clock": "ok", "worker": "ok", "events": "ok", "ingest": "ok"}
        machine = services.machine_now()
        if behind.beats and machine - max(behind.beats) > SILENT:
            checks["worker"] = f"no worker's work has moved on for {_age(machine, max(behind.beats))}: does it hang?"
        if behind.newest is not None and behind.newest > now + services.stuck_after:
            checks["clock"] = "the newest event lies in the future: the clock was set back"
        if behind.events_since is not None and now - behind.events_since > services.stuck_after:
            checks["events"] = (
                f"an event has waited {_age(now, behind.events_since)} for its reaction: is a worker running?"
            )
        if services.ingest.waiting >= services.ingest.most_waiting:
            checks["ingest"] = "too many events wait to be stored"
        return checks

    async def _metrics(self, _request: Request) -> Response:
        body = await run_in_threadpool(generate_latest, self._registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)


async def _alive(_request: Request) -> Response:
    return Response(b'{"alive":true}', media_type="application/json")


def _age(now: datetime, since: datetime) -> str:
    return f"{int((now - since).total_seconds())} s"


class _Collector(Collector):
    """Reads the figures when they are asked for; without a database the endpoint's own are still there."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        counts = self._services.ingest.counts
        for name, meaning in _COUNTED.items():
            yield CounterMetricFamily(f"nurture_ingest_{name}", meaning, value=counts[name])
        yield GaugeMetricFamily(
            "nurture_ingest_waiting", "calls that wait to be stored", value=self._services.ingest.waiting
        )
        now = self._services.clock.now()
        try:
            with self._services.database.read() as tx:
                behind = backlog(tx, now)
                refused = tallies.by_name(tx, tallies.REPORTS)
        except NurtureError:
            yield GaugeMetricFamily("nurture_database_up", "whether the database answers", value=0)
            return
        yield GaugeMetricFamily("nurture_database_up", "whether the database answers", value=1)
        yield from _figures(behind, now)
        yield _refused(refused)
        yield _workers(behind, self._services.machine_now())


def _refused(counts: Mapping[str, int]) -> Metric:
    """Of all processes together, and since ever."""
    found = CounterMetricFamily(
        "nurture_reports_refused", "reports about mails that were not believed", labels=["source", "reason"]
    )
    for name, count in counts.items():
        found.add_metric(name.rsplit(" ", 1), count)
    return found


def _workers(behind: Backlog, now: datetime) -> Metric:
    silent = sum(now - at > SILENT for at in behind.beats)
    workers = GaugeMetricFamily("nurture_workers", "workers whose work moves, and that say nothing", labels=["state"])
    workers.add_metric(["at work"], len(behind.beats) - silent)
    workers.add_metric(["silent"], silent)
    return workers


def _figures(behind: Backlog, now: datetime) -> Iterator[Metric]:
    for name, meaning, since in (
        ("nurture_events_oldest_waiting_seconds", "age of the oldest event without reaction", behind.events_since),
        ("nurture_messages_oldest_due_seconds", "how long the oldest due message waits", behind.messages_since),
        ("nurture_enrollments_oldest_due_seconds", "how long the oldest due step waits", behind.enrollments_since),
    ):
        yield GaugeMetricFamily(name, meaning, value=max(0.0, (now - since).total_seconds()) if since else 0.0)
    messages = GaugeMetricFamily("nurture_messages", "messages by state", labels=["state"])
    for state, count in sorted(behind.messages.items()):
        messages.add_metric([state], count)
    yield messages
    yield GaugeMetricFamily("nurture_enrollments_parked", "enrollments that an error holds", value=behind.parked)
    stopped = GaugeMetricFamily("nurture_campaign_stopped", "campaigns paused by themselves", labels=["campaign"])
    for campaign in behind.stopped:
        stopped.add_metric([campaign], 1)
    yield stopped
    closed = GaugeMetricFamily("nurture_way_closed", "ways out that refusals have closed", labels=["scope", "name"])
    for way in behind.closed:
        closed.add_metric(list(way), 1)
    yield closed

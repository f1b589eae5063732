"""How long `nurture why` takes: a lead with a year of history among a hundred thousand others; goal: within a second.

    python benchmarks/why_history.py [--leads 100000] [--runs 7] [--folder DIR] [--database postgresql://…/EMPTY]

Processor time, so that what else the machine does counts for little. Two figures of each question: reading and
explaining in a warm process, and the whole command, which starts Python and imports the program each time. Every other
lead has ten decisions, two mails and an enrollment of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import figures
from p01_whole_pass import workplace

from nurture.campaign.read import read_campaigns, read_project
from nurture.clock import machine_now
from nurture.engine.deploy import deploy
from nurture.engine.why import Asked, why
from nurture.engine.why_campaign import what_came_of
from nurture.store import migrate
from nurture.store import tables as t
from nurture.store.database import Database, Transaction, insert_rows, open_database

CONFIG = """\
project: shop
base_url: https://shop.example
secrets: ["0123456789abcdef0123456789abcdef"]
database: "{url}"
sender: {{name: Shop, email: news@shop.example, postal_address: "1 rue de la Paix, Paris"}}
transport: folder
topics:
  offers: {{title: Offers, wording: "Yes, write to me.", double_opt_in: false}}
funnel: {{stages: [lead, mql, customer]}}
events: {{cart_updated: {{cart_id: text, total: number}}, order_completed: {{cart_id: text}}}}
attributes: {{plan: text}}
"""
CAMPAIGN = """\
campaign: {name}
topic: offers
enter:
  event: cart_updated
  where: {{total: {{at_least: 30}}}}
  key: cart_id
  only_if: {{any: [{{lead: {{country: [FR, BE]}}}}, {{tag: vip}}]}}
goal: {{event: order_completed, same: cart_id}}
steps:
  - {{send: {name}/first, if: {{lead: {{plan: gold}}}}}}
  - branch:
      - if: {{did: {{event: cart_updated, at_least: 2, within: 30d}}}}
        steps: [{{send: {name}/second}}]
  - wait_for: {{event: order_completed, up_to: 3d}}
"""
NAMES = ("carts", "welcome", "winback")
VISITS, BUSY = 1_000, 1  # times the busy lead, whose id is 1, came to each campaign
PAGE = 5_000
SAW = {"carts": [[True, "50"], [False, "RO"], [False]], "plan": [[False, "silver"]], "often": [[True, "4"]]}


def plans(url: str) -> tuple[Any, dict[str, Any]]:
    project = read_project(("config.yaml", CONFIG.format(url=url))).project
    files = {f"{name}.yaml": CAMPAIGN.format(name=name) for name in NAMES}
    return project, read_campaigns(files, project).plans


def fill(database: Database, url: str, leads: int, now: datetime) -> None:
    project, found = plans(url)
    with database.write() as tx:
        deploy(tx, project, found, {}, now - timedelta(days=366))
        version = dict(
            tx.execute(t.campaigns.select().with_only_columns(t.campaigns.c.name, t.campaigns.c.live_version)).all()
        )
        for table, rows in (
            (
                t.leads,
                (
                    {
                        "id": n,
                        "shard": n % 64,
                        "email": f"lead{n}@example.com",
                        "canonical": f"lead{n}@example.com",
                        "country": "RO",
                        "attributes": {"plan": "silver"},
                        "created_at": now,
                        "changed_at": now,
                    }
                    for n in range(1, leads + 1)
                ),
            ),
            (t.enrollments, enrollments(leads, version, now)),
            (t.decisions, decisions(leads, version, now)),
            (t.messages, messages(leads, version, now)),
            (t.events, events(now)),
        ):
            write(tx, table, rows)
        if not database.is_sqlite:
            for table in ("leads", "enrollments", "decisions", "messages", "events"):
                tx.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def write(tx: Transaction, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    page: list[dict[str, Any]] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            insert_rows(tx, table, page)
            page = []
    insert_rows(tx, table, page)


def when(n: int, now: datetime) -> datetime:
    """Spread over the year, in order."""
    return now - timedelta(days=365) + timedelta(days=364) * (n / VISITS)


def enrollments(leads: int, version: dict[str, str], now: datetime) -> Iterator[dict[str, Any]]:
    who = [(BUSY, NAMES[n % 3], n, when(n, now)) for n in range(VISITS)]
    who += [(n, NAMES[n % 3], 0, now - timedelta(days=n % 300)) for n in range(2, leads + 1)]
    for lead, name, n, at in who:
        yield {
            **{"lead_id": lead, "shard": 0, "campaign": name, "version": version[name], "key": f"c{n}"},
            **{"state": "finished", "step": "first", "visit": 1, "entered_at": at, "entry_at": at, "entry": {}},
            **{"data": {}, "arms": {}, "loops": {}, "done": [], "revision": 1, "ended_at": at},
        }


def decisions(leads: int, version: dict[str, str], now: datetime) -> Iterator[dict[str, Any]]:
    """In the order of time, as they come: those of the busy lead lie among the others'."""
    others = iter(range(2, leads + 1))
    each = leads // VISITS + 1
    for n in range(VISITS):
        at = when(n, now)
        for lead in (BUSY, *(next(others, 0) for _ in range(each))):
            if lead:
                name = NAMES[(n if lead == BUSY else lead) % 3]
                enrollment = n + 1 if lead == BUSY else VISITS + lead - 1
                yield from walked(lead, enrollment, name, version[name], at)


def walked(lead: int, enrollment: int, name: str, version: str, at: datetime) -> Iterator[dict[str, Any]]:
    told: list[tuple[str, str | None, str | None, dict[str, Any] | None]] = [
        ("not_entered", "condition false", None, {"key": "c", "saw": SAW["carts"]}),
        ("entered", None, None, {"key": "c"}),
        ("skipped", "if", f"{name}/first", {"detail": f"{name}/first", "saw": SAW["plan"]}),
        ("branched", None, "branch", {"detail": "1"}),
        ("released", None, f"{name}/second", {"detail": f"{name}/second"}),
        ("refused", "no consent", f"{name}/second", {"detail": f"{name}/second", "topic": "offers"}),
        ("waiting", "order_completed", "wait-for-order_completed", {"until": at.isoformat()}),
        ("time_over", None, "wait-for-order_completed", None),
        ("deferred", "window", f"{name}/second", {"until": at.isoformat()}),
        ("ended", "finished", "wait-for-order_completed", {"detail": "finished"}),
    ]
    for what, reason, step, inputs in told:
        yield {
            **{"lead_id": lead, "enrollment_id": None if what == "not_entered" else enrollment, "campaign": name},
            **{"version": version, "step": step, "at": at, "what": what, "reason": reason, "inputs": inputs},
        }


def messages(leads: int, version: dict[str, str], now: datetime) -> Iterator[dict[str, Any]]:
    for lead in range(1, leads + 1):
        for n in range(VISITS if lead == BUSY else 2):
            name, at = NAMES[(n if lead == BUSY else lead) % 3], when(n, now)
            yield {
                **{"lead_id": lead, "shard": 0, "enrollment_id": n + 1 if lead == BUSY else VISITS + lead - 1},
                **{"campaign": name, "version": version[name], "step": f"{name}/second", "visit": n, "kind": "mail"},
                **{"template": f"{name}/second", "service": False, "options": {}, "lane": "other", "state": "sent"},
                **{"due": at, "released_at": at, "sent_at": at, "attempts": 1, "fence": 1},
            }


def events(now: datetime) -> Iterator[dict[str, Any]]:
    for n in range(VISITS * 4):
        at = when(n // 4, now)
        yield {
            **{"lead_id": BUSY, "shard": 0, "name": "cart_updated", "at": at, "accepted_at": at, "seq": n + 1},
            **{"fact": False, "source": "site", "properties": {"cart_id": f"c{n}", "total": 50}},
        }


ASKED = {
    "why LEAD": (Asked(limit=200), ["lead1@example.com"]),
    "why LEAD, all of it": (Asked(), ["lead1@example.com", "--limit", "100000"]),
    "why LEAD --campaign": (Asked("carts", limit=200), ["lead1@example.com", "--campaign", "carts"]),
    "why LEAD --mail": (Asked(mail="carts/second", limit=200), ["lead1@example.com", "--mail", "carts/second"]),
}


def measure(database: Database, folder: Path, url: str, runs: int, now: datetime) -> dict[str, object]:
    project, _ = plans(url)
    report: dict[str, object] = {}
    for name, (asked, arguments) in ASKED.items():
        report[name] = figures.spread(
            name, [timed(lambda a=asked: ask(database, project, a, now)) for _ in range(runs)], "ms"
        )
        report[f"{name}, command"] = figures.spread(
            "  the whole command", [timed(lambda a=arguments: command(folder, a)) for _ in range(runs)], "ms"
        )
    report["campaign"] = figures.spread("why --campaign", [timed(lambda: reckon(database)) for _ in range(runs)], "ms")
    arguments = ["--campaign", "carts"]
    report["campaign, command"] = figures.spread(
        "  the whole command", [timed(lambda: command(folder, arguments)) for _ in range(runs)], "ms"
    )
    return report


def timed(work: Any) -> float:
    """Milliseconds of processor time, a child's too."""
    began = used()
    work()
    return (used() - began) * 1000


def used() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def ask(database: Database, project: Any, asked: Asked, now: datetime) -> None:
    with database.read() as tx:
        if not why(tx, project, BUSY, now, asked).answers:
            raise SystemExit("nothing was told")


def reckon(database: Database) -> None:
    with database.read() as tx:
        what_came_of(tx, "carts")


def command(folder: Path, arguments: list[str]) -> None:
    words = [sys.executable, "-c", "from nurture.cli import main; main()", "--project", str(folder), "why", *arguments]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONHASHSEED": "0"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the database lies")
    parser.add_argument("--database", help="an empty PostgreSQL database instead of a SQLite file")
    arguments = parser.parse_args()
    with workplace(arguments.folder) as folder:
        url = arguments.database or f"sqlite:///{folder / 'nurture.db'}"
        (folder / "config.yaml").write_text(CONFIG.format(url=url), "utf-8")
        database, now = open_database(url), machine_now()
        migrate.upgrade(database)
        fill(database, url, arguments.leads, now)
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
        had = f"{VISITS * 10:,} decisions, {VISITS:,} mails, {VISITS * 4:,} events"
        print(f"why: {had} of one of {arguments.leads:,} leads; {kind}")
        figures.keep(f"why {kind}", measure(database, folder, url, arguments.runs, now))
        database.close()


if __name__ == "__main__":
    main()

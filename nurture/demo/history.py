"""What the shop knew before the first day: its old customers and their orders, brought in as one brings in a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from nurture.campaign.mapping import Kind, read_mapping
from nurture.campaign.problems import ProjectProblems, errors
from nurture.demo.shop import World
from nurture.engine.consent import ConsentRules
from nurture.engine.imports import Order, Summary, run_import
from nurture.store.database import Database

MAPPING = """\
# How the old shop's tables are read:
#   nurture import leads leads.jsonl --mapping old-shop.yaml
#   nurture import events orders.jsonl --mapping old-shop.yaml
lead:
  external_id: "{{ row.id }}"
  email: "{{ row.email }}"
  first_name: "{{ row.first_name }}"
  last_name: "{{ row.last_name }}"
  country: "{{ row.country }}"
  locale: "{{ row.locale }}"
  timezone: "{{ row.timezone }}"
  source: "{{ row.source }}"
  created_at: "{{ row.since }}"
stage: {name: customer, since: "{{ row.since }}"}
attributes: {birthday: "{{ row.birthday }}"}
consent:
  topic: table
  basis: soft_opt_in
  state: "{{ 'granted' if row.said_yes == 'yes' else 'withdrawn' }}"
  at: "{{ row.since }}"
  source: checkout of the old shop
  wording: "{{ row.wording }}"
  sale: "{{ row.order }}"
  sold_at: "{{ row.bought }}"
  objection_offered: "yes"
event:
  lead: "{{ row.lead }}"
  name: "{{ row.name }}"
  at: "{{ row.at }}"
  id: "{{ row.number }}"
  properties: {order_id: "{{ row.order_id }}", cart_id: "{{ row.cart_id }}", total: "{{ row.total }}", currency: EUR}
"""


def bring_in(database: Database, rules: ConsentRules, world: World, folder: Path, now: datetime) -> list[Summary]:
    """Write the old shop's tables to `folder` and import them. They start no campaign (S13)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "old-shop.yaml").write_text(MAPPING, encoding="utf-8")
    texts = rules.project.topics["table"].wording
    _write(folder / "leads.jsonl", _leads(world, texts))
    _write(folder / "orders.jsonl", _orders(world))
    mapping, problems = read_mapping("old-shop.yaml", MAPPING)
    if mapping is None:
        raise ProjectProblems(errors(problems))
    tables: Sequence[tuple[Kind, str]] = (("leads", "leads.jsonl"), ("events", "orders.jsonl"))
    return [run_import(database, Order(kind, folder / name, mapping, rules, now)) for kind, name in tables]


def _leads(world: World, texts: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    agreed = {each.lead: each for each in world.history() if each.kind == "consent"}
    for each in world.history():
        if each.kind == "identify":
            wording = texts.get(str(each.properties["locale"]), "")
            row = {"id": each.lead, "since": each.at.isoformat(), "birthday": "", "wording": wording}
            sale = agreed.get(each.lead)
            row |= {"said_yes": "no", "order": "", "bought": ""}
            if sale is not None:
                row |= {"said_yes": "yes", "order": sale.properties["order_id"], "bought": sale.at.isoformat()}
            yield row | each.properties


def _orders(world: World) -> Iterable[dict[str, Any]]:
    for each in world.history():
        if each.kind == "track":
            said = {name: each.properties.get(name, "") for name in ("order_id", "cart_id", "total")}
            yield {"number": each.id, "lead": each.lead, "name": each.name, "at": each.at.isoformat(), **said}


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")

"""A project in a folder and the commands run on it, as a person would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nurture.cli import run

CONFIG = """\
project: acme
base_url: http://127.0.0.1:8025
secrets: ["0123456789abcdef0123456789abcdef"]
timezone: Europe/Paris
sender: {name: Acme, email: news@acme.example, postal_address: "1 rue de la Paix, Paris"}
transport: folder
topics:
  offers: {title: {en: Offers}, wording: {en: "Yes, write to me."}, double_opt_in: false}
funnel: {stages: [lead, mql, customer]}
events:
  cart_updated: {cart_id: text, total: number}
  order_completed: {cart_id: text, total: number}
teams: {sales: [ada@acme.example, ben@acme.example]}
alerts: {blast: 2, fallback: ada@acme.example}
"""
CART = """\
campaign: cart
topic: offers
enter: {event: cart_updated, key: cart_id, settle: 1h, unless: {event: order_completed, same: cart_id}}
goal: {event: order_completed, same: cart_id}
steps:
  - send: cart/reminder
  - wait: 1d
  - branch:
      - if: {stage: mql}
        steps: [{send: cart/coupon}]
      - else: [{tag: cold}]
tests:
  - name: a buyer gets nothing
    lead: {email: anna@example.com, consents: [offers]}
    events:
      - {at: 0h, cart_updated: {cart_id: c1, total: 50}}
      - {at: 30m, order_completed: {cart_id: c1, total: 50}}
    expect: {entered: false, sent: []}
  - name: a silent shopper gets one mail
    lead: {email: bo@example.com, consents: [offers]}
    events: [{at: 0h, cart_updated: {cart_id: c2, total: 80}}]
    expect: {sent: [cart/reminder at 1h], tags: [cold], ended: finished}
"""
HELLO = """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{send: hello}, {wait: 2d}, {send: bye}]
"""
MAIL = """\
---
subject: Hello {{ lead.first_name or "you" }}
---
<p>Hello</p><p><a href="{{ links.unsubscribe }}">unsubscribe</a> {{ sender.postal_address }}</p>
"""


@dataclass
class Shop:
    """`run` gives the exit code; `out` and `err` are what the last command printed."""

    root: Path
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def run(self, *arguments: object) -> int:
        self.capture.readouterr()
        code = run(["--project", str(self.root), *map(str, arguments)])
        self.out, self.err = self.capture.readouterr()
        return code

    def json(self, *arguments: object) -> Any:
        assert self.run(*arguments, "--json") == 0, self.err
        return json.loads(self.out)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def deploy(self) -> None:
        assert self.run("deploy", "--yes") == 0, self.err

    def people(self, *names: str, consents: bool = True) -> None:
        rows = "".join(f"{name}@example.com,{name},2026-01-01\n" for name in names)
        consent = 'consent: {topic: offers, basis: consent, at: "{{ row.at }}", source: till, wording: w}\n'
        self.write("map.yaml", 'lead: {email: "{{ row.email }}", external_id: "{{ row.id }}"}\n' + consent * consents)
        file = self.write("leads.csv", f"email,id,at\n{rows}")
        assert self.run("import", "leads", file, "--mapping", self.root / "map.yaml") == 0, self.err

    def work(self) -> None:
        assert self.run("worker", "--once") == 0, self.err


def make_shop(root: Path, capture: pytest.CaptureFixture[str], campaigns: Sequence[str] = (CART, HELLO)) -> Shop:
    write_project(root, campaigns)
    return Shop(root, capture)


def write_project(root: Path, campaigns: Sequence[str] = (CART, HELLO)) -> None:
    files = {"config.yaml": CONFIG, **{f"campaigns/{text.split()[1]}.yaml": text for text in campaigns}}
    files |= {f"templates/{name}.html": MAIL for name in ("cart/reminder", "cart/coupon", "hello", "bye")}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

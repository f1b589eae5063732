"""What a rule says of itself: its code, a sentence, a campaign it finds something in and one it leaves alone.

The examples are played by the tests and printed in docs/reference/rules.md, so they are true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

EXAMPLE_CONFIG = """\
project: shop
timezone: Europe/Paris
locale: en
topics: {offers: {title: Offers}}
funnel: {stages: [lead, mql, customer]}
attributes: {plan: text, seats: number}
events:
  cart_updated: {cart_id: text, total: number}
  cart_emptied: {cart_id: text}
  order_completed: {cart_id: text, total: number}
teams: {sales: [ada@shop.example]}
"""
EXAMPLE_TODAY = date(2026, 11, 2)


@dataclass(frozen=True, slots=True)
class Rule:
    """`fails` and `passes` are whole campaign files, several where the rule looks at several; `config` is added to the
    examples' config.yaml."""

    code: str
    severity: Literal["error", "warning"]
    says: str
    fails: tuple[str, ...]
    passes: tuple[str, ...]
    config: str = ""

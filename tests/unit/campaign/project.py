"""The project that campaigns in these tests are written for."""

from __future__ import annotations

from functools import cache
from textwrap import dedent, indent

from nurture.campaign.problems import Problem
from nurture.campaign.project import Project
from nurture.campaign.read import Reading, read_campaign, read_project

CONFIG = """
project: shop
timezone: Europe/Paris
locale: fr
topics: {offers: {title: Offres}, newsletter: {title: La lettre}}
funnels:
  shop: {stages: [lead, mql, {name: sql, moves: [lead]}, customer]}
  second: {stages: [asked, bought]}
pipelines: {sales: {stages: [discovery, demo], lost: [price], recycle: {to: lead, after: 90d}}}
scores: {interest: {half_life: 30d, thresholds: {hot: 40}}, fit: {}}
attributes: {birthday: date, renewal_date: date, plan: text, seats: number, vip: true/false, address: {city: text}}
account_attributes: {employees: number}
events:
  cart_updated: {cart_id: text, total: number, currency: text, items: [{name: text, category: text, price: number}]}
  cart_emptied: {cart_id: text}
  order_completed: {cart_id: text, order_id: text, total: number, items: [{category: text}]}
  webinar_registered: {webinar_id: text, starts_at: date}
forms: {nps: {fields: {score: number}}, preferences: {fields: {colour: text}}}
segments: {active: {did: {event: order_completed, within: 90d}}}
teams: {care: [lea@example.com]}
webhooks: {stock: {url: "https://stock.example.com"}}
channels: {chat: stock}
holidays: {closed: [2026-08-14]}
alerts: {fallback: lea@example.com}
tracking: true
"""


@cache
def shop() -> Project:
    reading = read_project(("config.yaml", CONFIG))
    assert reading.problems == []
    return reading.project


def campaign(body: str, *, name: str = "c", topic: str = "offers") -> Reading:
    """A campaign whose file holds `body` below its name and topic."""
    return read_campaign("c.yaml", f"campaign: {name}\ntopic: {topic}\n{dedent(body).strip()}\n", shop())


def with_steps(steps: str, *, enter: str = "{event: cart_updated, key: cart_id}") -> Reading:
    return campaign(f"enter: {enter}\nsteps:\n{indent(dedent(steps).strip(), '  ')}\n")


def entered_by(enter: str) -> Reading:
    return campaign(f"enter:\n{indent(dedent(enter).strip(), '  ')}\nsteps: [{{tag: x}}]\n")


def codes(problems: list[Problem]) -> list[str]:
    return [problem.code for problem in problems]

"""The work that is measured: a shop whose leads each have one cart-abandonment mail due now.

Three items, 2.4 KB of HTML and 0.3 KB of text from sandboxed Jinja, one-click headers, about 3.6 KB on the wire. Every
guard is on: consent asked at release and again before the wire, caps, an attempt row a mail, decisions with reasons.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nurture.app import App, open_app
from nurture.clock import machine_now
from nurture.engine.checking import check_project
from nurture.engine.deploy import deploy
from nurture.folder import read_folder
from nurture.lead.lead import shard_of
from nurture.mail.template import template, template_names
from nurture.store import casting, enrollments, migrate
from nurture.store.casting import Cast
from nurture.store.enrollments import NewEnrollment

SECRET = "a secret of the benchmark, long enough to be one"
PAGE = 5_000  # leads a transaction while the shop is made

CONFIG = """
project: bench
base_url: https://news.shop.example
database: {database}
secrets: ["{secret}"]
timezone: Europe/Paris
locale: en
currency: EUR
sender: {{name: Shop, email: news@shop.example, reply_to: hello@shop.example, postal_address: "1 rue X, 75002 Paris"}}
smtp: {{host: 127.0.0.1, port: {port}, tls: none, connections: 10}}
topics:
  offers: {{title: {{en: Offers}}, wording: {{en: "Yes, offers."}}, basis: consent, double_opt_in: false}}
events:
  cart_updated:
    cart_id: text
    cart_url: url
    total: number
    currency: text
    items: [{{sku: text, name: text, url: url, price: number, quantity: number}}]
caps: {{marketing: {{at_most: 3, per: 7d}}}}
"""

CAMPAIGN = """
campaign: cart
topic: offers
state: live
enter: {event: cart_updated}
steps:
  - send: cart
"""

HTML = """---
subject: "{{ lead.first_name }}, your basket is waiting"
---
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="margin:0;padding:0;background:#f4f1ec;font-family:Georgia,'Times New Roman',serif;color:#2b2622">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:24px">
<table role="presentation" width="600" cellpadding="0" cellspacing="0" style="background:#ffffff;border-radius:6px">
<tr><td style="padding:28px 32px 8px;font-size:22px">{{ lead.first_name }}, your basket is still on the counter.</td></tr>
<tr><td style="padding:0 32px 12px;font-size:15px;line-height:22px">The kettle boiled, the bus came. Everything is here.</td></tr>
{% for item in entry['items'] %}<tr><td style="padding:10px 32px;border-top:1px solid #e6dfd5;font-size:15px;line-height:21px">
<a href="{{ item.url }}" style="color:#7a4b2a;text-decoration:none">{{ item.name }}</a><br>
<span style="color:#8a8178">{{ item.quantity }} × {{ item.price | money(entry.currency) }}</span></td></tr>
{% endfor %}<tr><td style="padding:12px 32px;border-top:2px solid #2b2622;font-size:16px;text-align:right">Total <strong>{{ entry.total | money(entry.currency) }}</strong></td></tr>
<tr><td align="center" style="padding:16px 32px 30px"><a href="{{ entry.cart_url }}" style="background:#7a4b2a;color:#ffffff;padding:12px 26px;border-radius:4px;text-decoration:none">Back to my basket</a></td></tr>
<tr><td style="padding:14px 32px 24px;font-size:12px;color:#8a8178">You asked us to write about offers. <a href="{{ links.unsubscribe }}">Unsubscribe</a> with one click.<br>{{ sender.postal_address }}</td></tr>
</table></td></tr></table></body></html>
"""

TEXT = """{{ lead.first_name }}, your basket is still on the counter.

{% for item in entry['items'] %}{{ item.quantity }} x {{ item.name }}: {{ item.price | money(entry.currency) }}
{% endfor %}
Total {{ entry.total | money(entry.currency) }}
{{ entry.cart_url }}

Unsubscribe: {{ links.unsubscribe }}
{{ sender.postal_address }}
"""

_TEAS = ("Green Gyokuro, spring", "Black Assam, second flush", "Oolong of the high hills", "Linden and mint")


def first_name(n: int) -> str:
    return ("Anna", "Léa", "Mihai", "Claire", "Ioan")[n % 5]


def address(n: int) -> str:
    """Spread over eight domains, as lanes are."""
    return f"lead{n}@mail{n % 8}.example"


def cart(n: int) -> dict[str, Any]:
    """What this lead left behind: three items."""
    items = [
        {
            "sku": f"T{(n + i) % 97}",
            "name": _TEAS[(n + i) % 4],
            "url": f"https://shop.example/teas/{(n + i) % 97}",
            "price": 8.5 + (n + i) % 23,
            "quantity": 1 + i,
        }
        for i in range(3)
    ]
    total = sum(i["price"] * i["quantity"] for i in items)  # type: ignore[operator]
    url = f"https://shop.example/cart/{n:x}"
    return {"cart_id": f"c{n}", "cart_url": url, "total": total, "currency": "EUR", "items": items}


def make(root: Path, port: int, leads: int, *, due: timedelta = timedelta(0), database: str = "") -> None:
    """The shop in a new folder, deployed; each lead stands on its mail, which is due `due` from now."""
    (root / "campaigns").mkdir(parents=True)
    (root / "templates").mkdir()
    (root / "campaigns" / "cart.yaml").write_text(CAMPAIGN, "utf-8")
    (root / "templates" / "cart.html").write_text(HTML, "utf-8")
    (root / "templates" / "cart.txt").write_text(TEXT, "utf-8")
    configure(root, port, database)
    app = open_app(root, {})
    migrate.upgrade(app.database)
    now = machine_now()
    version = _deploy(app, root, now)
    for start in range(0, leads, PAGE):
        _enroll(app, version, range(start, min(start + PAGE, leads)), now, now + due)
    app.database.close()


def configure(root: Path, port: int, database: str = "") -> None:
    """Point the shop to the sink on that port."""
    text = CONFIG.format(database=database or "sqlite:///nurture.db", secret=SECRET, port=port)
    (root / "config.yaml").write_text(text, "utf-8")


def copy(made: Path, root: Path) -> None:
    """A shop as it was made, for one run."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(made, root)


def _deploy(app: App, root: Path, now: datetime) -> str:
    folder = read_folder(root)
    checked = check_project(app.settings.project, folder.campaigns, folder.templates)
    if checked.problems:
        raise SystemExit("\n".join(str(p) for p in checked.problems))
    templates = {name: template(name, folder.templates).files for name in template_names(folder.templates)}
    with app.database.write() as tx:
        deploy(tx, app.settings.project, checked.plans, templates, now)
    live = app.live()
    assert live is not None
    return live.campaigns["cart"].version


def _enroll(app: App, version: str, numbers: range, now: datetime, due: datetime) -> None:
    cast = [
        Cast(fields={"email": address(n), "first_name": first_name(n)}, consents=["offers"], external_id=f"lead{n}")
        for n in numbers
    ]
    with app.database.write() as tx:
        live = app.live()
        assert live is not None
        step = live.plans["cart", version].steps[0].id
        ids = casting.put(tx, app.settings.project, cast, now, app.keyring)
        rows = [
            NewEnrollment(
                lead=lead,
                shard=shard_of(lead),
                campaign="cart",
                version=version,
                key="",
                step=step,
                due=due,
                now=now,
                entry_event=None,
                entry=cart(n),
                entry_at=now,
            )
            for n, lead in zip(numbers, ids, strict=True)
        ]
        enrollments.insert(tx, rows)

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
alerts: {{blast: 100000000}}
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

LETTER = Path(__file__).with_name("letter")  # cart.html, cart.txt

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
    shutil.copytree(LETTER, root / "templates")
    (root / "campaigns" / "cart.yaml").write_text(CAMPAIGN, "utf-8")
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


def work(leads: int) -> dict[str, Any]:
    """The same mail and leads for a peer that renders with Django's templates: the template's words, and every lead as
    (address, first name, cart)."""
    source = (LETTER / "cart.html").read_text("utf-8")
    html = source.partition("---\n")[2].partition("---\n")[2]
    for ours, theirs in (
        ("lead.first_name", "user.first_name"),
        ("entry['items']", "user.cart.items_left"),
        ("{{ item.price | money(entry.currency) }}", "€{{ item.price|floatformat:2 }}"),
        ("{{ entry.total | money(entry.currency) }}", "€{{ user.cart.total|floatformat:2 }}"),
        ("entry.cart_url", "user.cart.cart_url"),
        ("links.unsubscribe", "unsubscribe"),
        ("{{ sender.postal_address }}", "1 rue X, 75002 Paris"),
        ("{{ subject }}", "Your basket"),
    ):
        html = html.replace(ours, theirs)
    people = []
    for n in range(leads):
        left = cart(n)
        # `cart.items` would be the method of Python's own mapping in their templates.
        people.append((address(n), first_name(n), {"items_left": left.pop("items")} | left))
    return {"subject": "{{ user.first_name }}, your basket is waiting", "html": html, "leads": people}

"""A small project on disk with many leads, for tests that kill its worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nurture.app import App, open_app
from nurture.clock import machine_now
from nurture.engine.checking import check_project
from nurture.engine.deploy import deploy
from nurture.folder import read_folder
from nurture.lead.event import Happening
from nurture.mail.template import template, template_names
from nurture.store import casting, migrate
from nurture.store.casting import Cast
from nurture.store.events import store_events
from tests.heard import NAME

SECRET = "a secret that only this test knows, and nobody else"

CONFIG = """
project: killed
base_url: http://127.0.0.1:9
database: {database}
secrets: ["{secret}"]
timezone: Europe/Paris
locale: en
sender: {{name: Shop, email: news@shop.example, postal_address: "1 rue X, 75002 Paris"}}
smtp: {{host: 127.0.0.1, port: {port}, tls: none, connections: 4}}
alerts: {{blast: 100000000}}
topics:
  offers: {{title: {{en: Offers}}, wording: {{en: "Yes, offers."}}, basis: consent, double_opt_in: false}}
events:
  go: {{n: number}}
"""

CAMPAIGN = """
campaign: two-mails
topic: offers
state: live
enter: {event: go}
steps:
  - send: one
  - wait: 1s
  - send: two
"""

TEMPLATE = """---
subject: Number {number} for {{{{ lead.external_id }}}}
---
<p>Hello {{{{ lead.external_id }}}}, this is number {number} of Zephyrine-Body.</p>
<p>{{{{ sender.postal_address }}}} <a href="{{{{ links.unsubscribe }}}}">Unsubscribe</a></p>
"""


@dataclass
class Project:
    root: Path
    app: App
    leads: list[int]

    def elsewhere(self, name: str) -> Path:
        """The same project on another machine: its own folder and journals, the same database."""
        other = self.root.with_name(name)
        shutil.copytree(self.root, other, ignore=shutil.ignore_patterns(".nurture"))
        return other


@contextmanager
def opened(
    root: Path, database: str, port: int, leads: int, *campaigns: str, config: str = CONFIG
) -> Iterator[Project]:
    project = make(root, database, port, leads, *campaigns, config=config)
    try:
        yield project
    finally:
        project.app.database.close()


def make(root: Path, database: str, port: int, leads: int, *campaigns: str, config: str = CONFIG) -> Project:
    """The project, deployed, with so many leads who all have just done `go`."""
    (root / "campaigns").mkdir(parents=True)
    (root / "templates").mkdir()
    (root / "config.yaml").write_text(config.format(database=database, secret=SECRET, port=port))
    for n, campaign in enumerate(campaigns or (CAMPAIGN,)):
        (root / "campaigns" / f"campaign-{n}.yaml").write_text(campaign)
    for name, number in (("one", 1), ("two", 2)):
        (root / "templates" / f"{name}.html").write_text(TEMPLATE.format(number=number))
    app = open_app(root, dict(os.environ))
    migrate.upgrade(app.database)
    folder = read_folder(root)
    checked = check_project(app.settings.project, folder.campaigns, folder.templates)
    assert not checked.broken, [str(p) for p in checked.problems]
    templates = {name: template(name, folder.templates).files for name in template_names(folder.templates)}
    now = machine_now()
    with app.database.write() as tx:
        deploy(tx, app.settings.project, checked.plans, templates, now)
        cast = [
            Cast(
                fields={"email": f"lead{n}@mail{n % 7}.example", "first_name": NAME},
                consents=["offers"],
                external_id=f"lead{n}",
            )
            for n in range(leads)
        ]
        ids = casting.put(tx, app.settings.project, cast, now, app.keyring)
        go(app, tx, ids, now)
    return Project(root, app, ids)


def go(app: App, tx: object, ids: list[int], now: datetime) -> None:
    store_events(tx, [Happening(lead, "go", now, now, {"n": 1}) for lead in ids])  # type: ignore[arg-type]

"""The `call:` step and notices through a channel, by a real worker and a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from nurture.app import App, open_app
from nurture.clock import Clock, VirtualClock, machine_now
from nurture.engine import privacy
from nurture.engine.checking import check_project
from nurture.engine.deploy import deploy
from nurture.folder import read_folder
from nurture.lead.event import Happening
from nurture.mail.template import template, template_names
from nurture.store import casting, migrate, outbox
from nurture.store.casting import Cast
from nurture.store.enrollments import by_ids, open_of
from nurture.store.events import store_events
from nurture.store.tables import attempts, messages
from nurture.worker import Worker
from tests.delivery.test_webhook import receiver

CONFIG = """
project: calling
base_url: http://127.0.0.1:9
secrets: ["a secret that only this test knows, and nobody else"]
timezone: Europe/Paris
locale: en
sender: {{name: Shop, email: news@shop.example, postal_address: "1 rue X, 75002 Paris"}}
transport: folder
events: {{go: {{n: number}}}}
webhooks:
  stock: {{url: "http://127.0.0.1:{port}/stock"}}
  crm: {{url: "http://127.0.0.1:{port}/crm", erasures: true}}
channels: {{chat: stock}}
"""
CAMPAIGN = """
campaign: calling
state: live
enter: {event: go}
steps:
  - call: {webhook: stock, body: {who: "{{ lead.external_id }}", n: "{{ entry.n }}"}}
    or_fail: exit
  - notify: {to: chat, template: internal/hot}
  - wait: 30d
"""


def project(root: Path, port: int, clock: Clock | None = None) -> tuple[App, int]:
    """Deployed, with one lead that has just done `go`."""
    (root / "campaigns").mkdir()
    (root / "templates" / "internal").mkdir(parents=True)
    (root / "config.yaml").write_text(CONFIG.format(port=port))
    (root / "campaigns" / "calling.yaml").write_text(CAMPAIGN)
    (root / "templates" / "internal" / "hot.txt").write_text("---\nsubject: Hot\n---\n{{ lead.external_id }} is hot\n")
    app = open_app(root, {}, clock)
    migrate.upgrade(app.database)
    folder = read_folder(root)
    checked = check_project(app.settings.project, folder.campaigns, folder.templates)
    assert not [str(p) for p in checked.problems if p.severity == "error"]
    files = {name: template(name, folder.templates).files for name in template_names(folder.templates)}
    now = app.clock.now()
    with app.database.write() as tx:
        deploy(tx, app.settings.project, checked.plans, files, now)
        (lead,) = casting.put(tx, app.settings.project, [Cast(external_id="ana")], now, app.keyring)
        store_events(tx, [Happening(lead, "go", now, now, {"n": 3})])
    return app, lead


async def play(app: App) -> None:
    async with Worker(app, shared=False).by_hand() as turn:
        while await turn():
            pass


async def test_a_call_is_made_once_signed_and_its_answer_is_kept(tmp_path: Path) -> None:
    async with receiver() as there:
        app, lead = project(tmp_path, there.port)
        await play(app)
    headers, body = there.heard[0]
    assert json.loads(body) == {"who": "ana", "n": "3"}
    secret = app.keyring.webhook_secret("stock")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    told = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{told}"
    with app.database.read() as tx:
        (standing,) = open_of(tx, [lead])
    assert standing.data == {"stock": {"items": [1, 2]}}
    app.database.close()


async def test_a_notice_to_a_channel_is_told_there_in_words(tmp_path: Path) -> None:
    async with receiver() as there:
        app, _ = project(tmp_path, there.port)
        await play(app)
    assert json.loads(there.heard[1][1]) == {"subject": "Hot", "text": "ana is hot"}
    assert len(there.heard) == 2
    app.database.close()


async def test_a_refused_call_ends_where_its_author_said_so(tmp_path: Path) -> None:
    async with receiver(404, b"") as there:
        app, lead = project(tmp_path, there.port)
        await play(app)
    with app.database.read() as tx:
        assert open_of(tx, [lead]) == []
        (ended,) = by_ids(tx, [1])
    assert ended.state == "exited"
    app.database.close()


async def test_a_call_that_cannot_be_made_now_is_made_later(tmp_path: Path) -> None:
    async with receiver(503, b"") as there:
        app, lead = project(tmp_path, there.port)
        await play(app)
    with app.database.read() as tx:
        (standing,) = open_of(tx, [lead])
        (waiting,) = outbox.listed(tx)
    assert (standing.held, waiting["state"]) == ("answer", "pending")
    assert len(there.heard) == 1
    app.database.close()


async def test_a_worker_killed_during_a_call_says_the_same_again(tmp_path: Path) -> None:
    async with receiver() as there:
        app, lead = project(tmp_path, there.port)
        worker = Worker(app, shared=False)
        async with worker.by_hand() as turn:
            await asyncio.to_thread(worker._passes.run, app.clock.now())
            dispatch = worker._dispatch
            assert dispatch is not None
            calls = app.calls(dispatch)
            taken = await asyncio.to_thread(calls._claim)
            assert taken is not None
            press, claimed, needed = taken
            assert await asyncio.to_thread(calls._launch, claimed[0], calls._body(press, claimed[0], needed))
            assert turn is not None
        await play(app)  # another worker finds it on the wire
        with app.database.read() as tx:
            (standing,) = open_of(tx, [lead])
    assert there.heard[0][0]["webhook-id"] == f"call_{claimed[0].id}"
    assert standing.data["stock"] == {"items": [1, 2]}
    app.database.close()


async def test_c28_an_erasure_webhook_is_retried_until_it_is_taken(tmp_path: Path) -> None:
    """Through refusals of every kind and a new worker each time, with the same bytes under the same id."""
    async with receiver() as there:
        app, lead = project(tmp_path, there.port, VirtualClock(machine_now()))
        await play(app)
        there.heard.clear()
        app.erase(lead, "operator")
        for status in (503, 404, 302, 204):
            there.status, there.answer = status, b""
            await play(app)
            clock = VirtualClock(app.clock.now() + timedelta(hours=2))
            app.database.close()
            app = open_app(tmp_path, {}, clock)
        await play(app)
    assert len(there.heard) == 4
    assert len({(headers["webhook-id"], body) for headers, body in there.heard}) == 1
    app.database.close()


async def test_c28_an_erasure_is_told_signed_without_address_or_name(tmp_path: Path) -> None:
    async with receiver() as there:
        app, lead = project(tmp_path, there.port)
        with app.database.write() as tx:
            privacy.rectify(
                tx, lead, {"email": "ana@example.com", "name": "Ana"}, app.rules(), "x", machine_now(), None
            )
        app.erase(lead, "operator")
        await play(app)
    headers, body = there.heard[-1]
    said = json.loads(body)
    assert said["type"] == "lead.erased"
    secret = app.keyring.webhook_secret("crm")
    mark = hmac.new(secret, b"ana@example.com", hashlib.sha256).hexdigest()
    assert said["data"] == {"lead": lead, "external_ids": ["ana"], "address_hmac": mark}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    told = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{told}"
    app.database.close()


async def test_c28_after_an_erasure_was_told_nothing_of_it_is_kept(tmp_path: Path) -> None:
    async with receiver() as there:
        app, lead = project(tmp_path, there.port)
        app.erase(lead, "operator")
        await play(app)
        assert [json.loads(body)["type"] for _, body in there.heard] == ["lead.erased"]
    with app.database.read() as tx:
        assert [m["kind"] for m in outbox.listed(tx)] == []
        assert b"ana" not in b"".join(bytes(b) for b in tx.execute(select(messages.c.body)).scalars() if b)
        assert tx.execute(select(func.count()).select_from(attempts)).scalar() == 0
    app.database.close()

"""From config.yaml to what is on the disk: mails signed by us, bounces read from a Maildir (E5, E8, E9, E25)."""

from __future__ import annotations

import asyncio
import email
import email.message
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import dkim
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nurture.app import App, open_app
from nurture.delivery.dkim import read_key
from nurture.engine import guard
from nurture.engine.guard import Rails
from nurture.errors import UserError
from nurture.lead.permission import ALL
from nurture.serving import Endpoint
from nurture.store.consents import people
from nurture.store.tables import messages
from nurture.web.app import create_app
from nurture.worker import Worker
from tests.faults import project as killed
from tests.heard import hear
from tests.unit.mail.returned import postfix

MORE = """
transport: folder
dkim: {domain: shop.example, selector: s1, key: "${file:dkim.pem}"}
returns: {maildir: returned}
providers: {brevo: a-long-token}
"""


@pytest.fixture
def project(tmp_path: Path) -> killed.Project:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(pem)
    for name in ("new", "cur", "tmp"):
        (tmp_path / "returned" / name).mkdir(parents=True)
    made = killed.make(tmp_path, "sqlite:///nurture.db", 9, 1)
    made.app.database.close()
    config = tmp_path / "config.yaml"
    own = config.read_text().replace("alerts: {", "alerts: {fallback: ops@shop.example, ")
    config.write_text(own + MORE)
    made.app = open_app(tmp_path, dict(os.environ))
    return made


def sent(root: Path) -> list[bytes]:
    files = sorted((root / "mails").glob("*.eml"))
    return [file.read_bytes() for file in files]


def parsed(data: bytes) -> email.message.Message:
    return email.message_from_bytes(data)


async def deliver(app: App) -> bytes:
    """The first mail; on a slow machine the second one, due a second later, has left as well."""
    await Worker(app).once()
    return next(data for data in sent(app.settings.root) if b"\nSubject: Number 1 " in data)


def scopes(project: killed.Project) -> dict[str, str]:
    with project.app.database.read() as tx:
        return people(tx, project.leads)[project.leads[0]].scopes


async def test_e5_a_mail_that_leaves_is_signed_with_our_key_as_dkimpy_sees_it(project: killed.Project) -> None:
    data = await deliver(project.app)
    key = read_key("shop.example", "s1", (project.root / "dkim.pem").read_text())
    asked: list[bytes] = []

    def dns(name: bytes, **_more: object) -> bytes:
        asked.append(name)
        return key.record().encode()

    assert dkim.verify(data, dnsfunc=dns)
    assert asked == [b"s1._domainkey.shop.example."]


async def test_e5_what_is_stored_as_sent_is_the_hash_of_the_signed_bytes(project: killed.Project) -> None:
    import hashlib

    data = await deliver(project.app)
    with project.app.database.read() as tx:
        stored = [row.sha256 for row in tx.execute(messages.select())]
    assert hashlib.sha256(data).hexdigest() in stored  # the second mail may have left by now, too


async def test_e8_the_feedback_id_has_four_fields_at_most_and_names_nobody(project: killed.Project) -> None:
    value = parsed(await deliver(project.app))["Feedback-ID"]
    assert re.fullmatch(r"two-mails:offers:[A-Za-z0-9._-]{5,15}", value)


async def test_e9_a_campaigns_mail_asks_machines_not_to_answer(project: killed.Project) -> None:
    mail = parsed(await deliver(project.app))
    assert (mail["Precedence"], mail["X-Auto-Response-Suppress"]) == ("bulk", "OOF, AutoReply")
    assert mail["Auto-Submitted"] is None


async def bounced(project: killed.Project) -> None:
    mark = parsed(await deliver(project.app))["Message-ID"].strip("<>").partition("@")[0]
    data = postfix("failed", "5.1.1", "smtp; 550 5.1.1 User unknown", "lead0@mail0.example")
    data = data.replace(b"b+1a.mac", f"b+{mark}".encode()).replace(b"1a.mac", mark.encode())
    (project.root / "returned" / "new" / "1.M1.mx").write_bytes(data)


async def test_e25_a_worker_reads_the_maildir(project: killed.Project) -> None:
    await bounced(project)
    await Worker(project.app)._read_returns()
    assert scopes(project) == {ALL: "bounce: 5.1.1"}
    assert list((project.root / "returned" / "new").iterdir()) == []


def command(project: killed.Project, *arguments: str) -> str:
    nurture = str(Path(sys.executable).with_name("nurture"))
    ran = subprocess.run(
        [nurture, "--project", str(project.root), "returns", *arguments], capture_output=True, text=True
    )
    hear(ran.stderr)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_e25_the_command_reads_it_and_says_what_came_of_it(project: killed.Project) -> None:
    await bounced(project)
    assert json.loads(await asyncio.to_thread(command, project, "--json")) == {"bounced": 1}
    assert scopes(project) == {ALL: "bounce: 5.1.1"}
    assert await asyncio.to_thread(command, project) == "nothing new\n"


def test_a_maildir_that_is_not_there_is_told_at_the_start(project: killed.Project) -> None:
    (project.root / "returned" / "new").rmdir()
    with pytest.raises(UserError, match="no Maildir"):
        project.app.check()


def test_e5_a_key_that_cannot_sign_is_told_before_anything_is_sent(project: killed.Project) -> None:
    (project.root / "dkim.pem").write_text("not a key")
    with pytest.raises(UserError, match="selector 's1'"):
        open_app(project.root, dict(os.environ)).signer()


async def test_x12_a_providers_webhook_reaches_the_endpoint(project: killed.Project) -> None:
    mark = parsed(await deliver(project.app))["Message-ID"]
    endpoint = Endpoint(project.app, "127.0.0.1", 0)
    app = create_app(endpoint.services(), endpoint.hooks().routes())
    said = {"event": "hard_bounce", "email": "lead0@mail0.example", "message-id": mark, "reason": "550 5.1.1 unknown"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
        stranger = await client.post("/hooks/brevo", json=said)
        brevo = await client.post("/hooks/brevo", json=said, headers={"authorization": "Bearer a-long-token"})
    assert (stranger.status_code, brevo.status_code) == (401, 200)
    assert scopes(project) == {ALL: "bounce: 5.1.1"}


async def test_e27_who_is_named_for_alerts_gets_a_mail_that_reads_well(project: killed.Project) -> None:
    await deliver(project.app)
    with project.app.database.write() as tx:
        tx.execute(messages.update().values(bounced_at=project.app.clock.now(), bounce="hard"))
    live = project.app.live()
    assert live is not None
    live.project = project.app.settings.project  # as a deploy would make it
    guard.run(project.app.database, live, project.app.clock.now(), Rails(least=1))
    await Worker(project.app).once()
    [told] = [mail for data in sent(project.root) if (mail := parsed(data))["To"] == "<ops@shop.example>"]
    assert told["Subject"] == "'two-mails' is paused: 100.0% of the last 1 mails came back for good"
    assert told["Auto-Submitted"] == "auto-generated"


async def test_e24_refused_reports_are_counted_for_those_who_watch(project: killed.Project) -> None:
    mark = parsed(await deliver(project.app))["Message-ID"].strip("<>")
    forged = postfix("failed", "5.1.1", "smtp; 550 5.1.1 User unknown", "lead0@mail0.example")
    (project.root / "returned" / "new" / "1.M1.mx").write_bytes(forged)
    project.app.read_returns()
    endpoint = Endpoint(project.app, "127.0.0.1", 0)
    app = create_app(endpoint.services(), endpoint.hooks().routes())
    said = {"event": "hard_bounce", "email": "lead0@mail0.example", "message-id": mark[:-20] + "x@shop.example"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
        await client.post("/hooks/brevo", json=said)
        await client.post("/hooks/brevo", json=said, headers={"authorization": "Bearer a-long-token"})
        told = (await client.get("/metrics")).text
    counted = {line for line in told.splitlines() if line.startswith("nurture_reports_refused_total")}
    assert counted == {
        'nurture_reports_refused_total{reason="forged",source="hooks:brevo"} 1.0',
        'nurture_reports_refused_total{reason="forged",source="maildir"} 1.0',
        'nurture_reports_refused_total{reason="unverified",source="hooks:brevo"} 1.0',
    }
    assert scopes(project) == {}

"""There and back through real servers: our worker, Postfix, and behind it OpenSMTPD, Dovecot or postgrey.

Postfix takes every mail and hands it on, as a company's own relay does; what comes back to `b+…@shop.example` lies in a
mailbox of Dovecot's, which nurture reads by IMAP (C19, E5, E9, E10, E23, E25).
"""

from __future__ import annotations

import asyncio
import email
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nurture.app import open_app
from nurture.clock import VirtualClock, machine_now
from nurture.delivery.dkim import SigningKey, read_key
from nurture.lead.permission import ALL
from nurture.store.consents import people
from nurture.store.tables import events, messages
from nurture.worker import Worker
from tests.e2e.test_returned_mail import scopes
from tests.faults import project as killed
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.ground import free_port, need, program, until
from tests.peers.opendkim import opendkim
from tests.peers.opensmtpd import OpenSmtpd
from tests.peers.postfix import Postfix
from tests.peers.postgrey import Postgrey

pytestmark = pytest.mark.peers

LEAD = "lead0@mail0.example"
MORE = """
smtp: {{host: 127.0.0.1, port: {smtp}, tls: none}}
dkim: {{domain: shop.example, selector: s1, key: "${{file:dkim.pem}}"}}
returns:
  imap: {{host: localhost, port: {imap}, username: b, password: "${{RETURNS}}", ca_file: ca.pem}}
  unsubscribe: b+unsubscribe@shop.example
"""
CONFIG = killed.CONFIG.replace("alerts: {{", "alerts: {{fallback: ops@shop.example, ")
# One mail only: the second is due a second later, and a test must not depend on how fast it is.
CAMPAIGN = killed.CAMPAIGN.replace("  - wait: 1s\n  - send: two\n", "  - wait: 30d\n  - send: two\n")


@dataclass
class Way:
    """A project whose mails go to real servers; `clock` is its campaign time."""

    project: killed.Project
    postfix: Postfix
    dovecot: Dovecot
    clock: VirtualClock

    async def send(self) -> Any:
        """Send what is due now; the first mail's row."""
        await Worker(self.project.app).once()
        return self.row()

    async def send_until_sent(self) -> Any:
        """A server that puts us off counts real seconds; our own pauses are campaign time."""
        for _ in range(40):
            self.clock.advance(timedelta(minutes=10))
            if (row := await self.send()).state == "sent":
                break
            await asyncio.sleep(0.5)
        return row

    def row(self) -> Any:
        with self.project.app.database.read() as tx:
            return tx.execute(messages.select().order_by(messages.c.id)).first()

    def told(self) -> list[str]:
        with self.project.app.database.read() as tx:
            return [row.name for row in tx.execute(events.select().order_by(events.c.id))]

    def key(self) -> SigningKey:
        return read_key("shop.example", "s1", (self.project.root / "dkim.pem").read_text())

    def heard(self) -> dict[str, int]:
        """What came of the next mail that comes back."""
        assert self.dovecot.inbox("b", 1), self.postfix.log() + self.dovecot.log()
        return self.project.app.read_returns()

    def said(self) -> str:
        return self.postfix.log() + self.dovecot.log()

    def left(self) -> list[Path]:
        """What is in the mailbox of returned mail, seen or not."""
        return [*self.dovecot.home.glob("mail/b/Maildir/new/*"), *self.dovecot.home.glob("mail/b/Maildir/cur/*")]


@pytest.fixture
def way(tmp_path: Path, certificate: tuple[Path, Path], dovecot_is_here: None) -> Callable[..., Any]:
    need("postconf", "dovecot")

    @contextmanager
    def opened(
        more: dict[str, str] | None = None,
        *,
        behind: int = 0,
        checks: str = "",
        vacations: dict[str, str] | None = None,
    ) -> Iterator[Way]:
        """`behind`: the port of the SMTP server that lead0's domain is at; without it, it is at Dovecot."""
        port = free_port()
        with Dovecot(*certificate, submission=port, vacations=vacations) as dovecot:
            kept = f"lmtp:inet:127.0.0.1:{dovecot.lmtp}"
            there = f"smtp:[127.0.0.1]:{behind}" if behind else kept
            routes = {
                "relay_domains": "shop.example, mail0.example",
                "virtual_mailbox_domains": "",
                "disable_dns_lookups": "yes",
                "transport_maps": f"inline:{{ {{shop.example = {kept}}}, {{mail0.example = {there}}} }}",
            }
            with Postfix(*certificate, port=port, more=routes | (more or {}), checks=checks) as postfix:
                made = a_project(tmp_path, postfix.port, dovecot.imaps, certificate[0])
                clock = VirtualClock(machine_now())
                made.app = open_app(tmp_path, {**os.environ, "RETURNS": PASSWORD}, clock)
                yield Way(made, postfix, dovecot, clock)
                made.app.database.close()

    return opened


def a_project(root: Path, smtp: int, imap: int, authority: Path) -> killed.Project:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (root / "dkim.pem").write_bytes(pem)
    (root / "ca.pem").write_bytes(authority.read_bytes())
    made = killed.make(root, "sqlite:///nurture.db", smtp, 1, CAMPAIGN, config=CONFIG)
    made.app.database.close()
    config = root / "config.yaml"
    kept = [line for line in config.read_text().splitlines() if not line.startswith("smtp:")]
    config.write_text("\n".join(kept) + MORE.format(smtp=smtp, imap=imap))
    return made


async def test_e5_opendkim_believes_what_arrived_behind_postfix_and_no_forged_header(
    way: Callable[..., Any], tmp_path: Path
) -> None:
    need("opendkim")
    with way() as there:
        await there.send()
        [mail] = there.dovecot.inbox("lead0", 1)
    data = mail.replace(b"\n", b"\r\n")
    assert opendkim(data, there.key(), tmp_path)
    assert not opendkim(b"List-Unsubscribe: <https://evil.example/>\r\n" + data, there.key(), tmp_path)


async def test_e10_a_report_of_postfix_about_an_unknown_mailbox_closes_the_address(way: Callable[..., Any]) -> None:
    need("smtpd", "chroot")
    with OpenSmtpd('rcpt-to "somebody@mail0.example"') as opensmtpd, way(behind=opensmtpd.port) as there:
        assert (await there.send()).state == "sent"
        assert there.heard() == {"bounced": 1}, there.said()
        assert scopes(there.project) == {ALL: "bounce: 5.0.0"}
        assert there.told().count("mail.bounced") == 1
        assert there.left() == []


async def test_e10_a_greylisting_server_takes_a_later_attempt_with_the_same_envelope(way: Callable[..., Any]) -> None:
    need("postgrey")
    with Postgrey() as postgrey:
        asked = {"smtpd_recipient_restrictions": f"check_policy_service inet:127.0.0.1:{postgrey.port}"}
        with way(asked) as there:
            first = await there.send()
            assert (first.state, first.attempts) == ("pending", 1), there.said()
            row = await there.send_until_sent()
            assert (row.state, row.attempts > 1) == ("sent", True), there.said()
            [mail] = there.dovecot.inbox("lead0", 1)
            log = there.postfix.log()
    assert "Greylisted" in log
    assert len(set(re.findall(r"from=<(b\+[^>]+)>", log))) == 1  # of the refused attempt and of the accepted one
    assert email.message_from_bytes(mail)["Message-ID"] == f"<{first.mail_id}>"


AWAY = {"lead0": "I am in the mountains until Monday."}
# What tells a polite responder that nobody waits for its answer, taken away by a relay in between.
IMPOLITE = "/^(Precedence|List-.*|X-Auto-Response-Suppress|Feedback-ID|Auto-Submitted):/ IGNORE\n"


async def test_e9_a_vacation_responder_keeps_silent_about_a_campaigns_mail(way: Callable[..., Any]) -> None:
    with way(vacations=AWAY) as there:
        await there.send()
        assert until(lambda: "vacation" in there.dovecot.log()), there.said()
        assert "discard" in there.dovecot.log()
        assert there.left() == []


async def test_e9_the_answer_of_a_vacation_responder_moves_nothing_and_is_not_answered(way: Callable[..., Any]) -> None:
    with way(checks=IMPOLITE, vacations=AWAY) as there:
        await there.send()
        told = there.told()
        assert there.heard() == {"ignored": 1}
        row = there.row()
        assert (row.bounced_at, row.replied_at, row.complained_at) == (None, None, None)
        there.clock.advance(timedelta(days=1))
        await there.send()
        assert (there.told(), scopes(there.project), there.left()) == (told, {}, [])
        assert there.postfix.log().count("from=<b+") == 1  # nothing more has left


def swaks(way: Way, subject: str, *more: str, body: str = "") -> None:
    """A mail as a person's own program sends it, to the address that unsubscribes."""
    command = [program("swaks"), "--server", f"127.0.0.1:{way.postfix.port}", "--from", LEAD]
    command += ["--to", "b+unsubscribe@shop.example", "--h-Subject", subject, "--body", body or "-", *more]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


async def mailto(way: Way) -> tuple[str, str]:
    """(address, subject) of the second address in List-Unsubscribe of the mail that arrived."""
    await way.send()
    [mail] = way.dovecot.inbox("lead0", 1)
    offered = re.fullmatch(r"<http://[^>]+>, <(mailto:[^>]+)>", email.message_from_bytes(mail)["List-Unsubscribe"])
    assert offered is not None
    parts = urlsplit(offered[1])
    [subject] = parse_qs(parts.query, strict_parsing=True)["subject"]
    return unquote(parts.path), subject


def topics(way: Way) -> dict[str, str]:
    with way.project.app.database.read() as tx:
        [person] = people(tx, way.project.leads).values()
    return {name: row.state for name, row in person.consents.items()}


async def test_c19_a_mail_to_the_offered_address_unsubscribes(way: Callable[..., Any]) -> None:
    need("swaks")
    with way() as there:
        address, token = await mailto(there)
        assert address == "b+unsubscribe@shop.example"
        await asyncio.to_thread(swaks, there, token)
        assert there.heard() == {"unsubscribed": 1}
        assert (topics(there), there.left()) == ({"offers": "withdrawn"}, [])


def tampered(token: str) -> str:
    return token[:-1] + ("A" if token[-1] != "A" else "B")


@pytest.mark.parametrize("subject", [tampered, lambda _: "unsubscribe"], ids=["tampered", "none"])
async def test_c19_without_a_token_of_ours_nothing_changes(
    way: Callable[..., Any], subject: Callable[[str], str]
) -> None:
    need("swaks")
    with way() as there:
        _, token = await mailto(there)
        await asyncio.to_thread(swaks, there, subject(token), body="unsubscribe")
        assert set(there.heard()) <= {"forged", "ignored"}
        assert (topics(there), len(there.left())) == ({"offers": "granted"}, 1)


async def test_c19_an_answer_that_says_unsubscribe_is_a_task_for_a_colleague(way: Callable[..., Any]) -> None:
    need("swaks")
    with way() as there:
        await mailto(there)
        answered = f"<{there.row().mail_id}>"
        await asyncio.to_thread(
            swaks, there, "Re: Number 1", "--header", f"In-Reply-To: {answered}", body="Désinscription, merci"
        )
        assert there.heard() == {"asked": 1}
        assert topics(there) == {"offers": "granted"}
        await there.send()
        [task] = there.dovecot.inbox("ops", 1)
    assert email.message_from_bytes(task)["Subject"] == f"{LEAD} asked to be left alone"

"""Webhooks of mail providers (trust X12, E24, E28): payloads as the providers document them, signed here with keys of
our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from nurture.clock import VirtualClock
from nurture.errors import StoreUnavailable
from nurture.lead.permission import ALL, MARKETING
from nurture.mail.report import Kind, Notice
from nurture.store.database import open_database
from nurture.store.tables import event_keys
from nurture.web.hooks import Hooks
from nurture.web.providers import READERS, Posted
from nurture.web.providers.posted import Unavailable
from tests.journeys.posted import FEEDBACK, LINKS, Post, posted
from tests.journeys.world import instant
from tests.store.conftest import _sqlite_file

__all__ = ["_sqlite_file"]

NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
ARN = "arn:aws:sns:eu-west-1:123456789012:nurture"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem"
MAILGUN_KEY = "key-0123456789abcdef"
LOGIN = "hook:correct-horse"
RESEND_KEY = "whsec_" + base64.b64encode(b"a signing secret of Resend's").decode()
RSA_KEY, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC_KEY, OTHER_EC = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def certificate(key: rsa.RSAPrivateKey, until: datetime = NOW + timedelta(days=90)) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=90), until)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def ec_text(key: ec.EllipticCurvePrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


SETTINGS = {
    "ses": ARN,
    "mailgun": MAILGUN_KEY,
    "postmark": f"{LOGIN} 198.51.100.0/24",
    "sendgrid": ec_text(EC_KEY),
    "brevo": "a-long-token 198.51.100.7",
    "resend": RESEND_KEY,
}


@dataclass(frozen=True)
class Call:
    """A request as a provider makes it."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    post: Post
    hooks: Hooks
    client: httpx.AsyncClient
    fetched: list[str]

    async def send(self, provider: str, call: Call) -> httpx.Response:
        return await self.client.post(f"/hooks/{provider}", content=call.body, headers=call.headers)

    def untouched(self) -> bool:
        row = self.post.row()
        return self.post.scopes() == {} and row.bounced_at is None and row.complained_at is None


@pytest.fixture
async def world(tmp_path: Path, _sqlite_file: Path) -> AsyncIterator[World]:
    shutil.copy(_sqlite_file, tmp_path / "nurture.db")
    database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}", durable=False)
    post = posted(database)
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return certificate(RSA_KEY)

    hooks = Hooks(
        providers=SETTINGS,
        database=database,
        clock=VirtualClock(instant("1h")),
        live=lambda: post.site.live,
        feedback=lambda source: replace(FEEDBACK, source=source),
        now=lambda: NOW,
        fetch=fetch,
    )
    transport = httpx.ASGITransport(Starlette(routes=hooks.routes()), client=("198.51.100.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://acme.example") as client:
        yield World(post, hooks, client, fetched)
    database.close()


# ── The providers' payloads ─────────────────────────────────────────────────────────────────────────────────────────


def sns(message: dict[str, Any], key: rsa.RSAPrivateKey = RSA_KEY, at: datetime = NOW, **changed: Any) -> Call:
    fields = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": ARN,
        "Message": json.dumps(message),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    } | changed
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if fields["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
    algorithm = SHA1() if fields["SignatureVersion"] == "1" else SHA256()
    fields["Signature"] = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return Call(json.dumps(fields).encode(), {"content-type": "text/plain; charset=UTF-8"})


def ses_mail(mark: str) -> dict[str, Any]:
    return {
        "timestamp": "2026-03-02T10:00:00.000Z",
        "source": f"{mark}@shop.example",
        "messageId": "00000137860315fd-869464a4-8680-4114-98d3-716fe35851f9-000000",
        "destination": ["lead0@example.com"],
        "headers": [{"name": "Message-ID", "value": f"<{mark[2:]}@shop.example>"}],
    }


def ses(mark: str, **more: Any) -> Call:
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "lead0@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <lead0@example.com>... User unknown",
            }
        ],
        "timestamp": "2026-03-02T10:00:05.000Z",
        "feedbackId": "00000138111222aa-33322211",
    }
    return sns({"notificationType": "Bounce", "bounce": bounce, "mail": ses_mail(mark)}, **more)


def mailgun(mark: str, key: str = MAILGUN_KEY, at: datetime = NOW, **event: Any) -> Call:
    stamp, token = str(int(at.timestamp())), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    body = {
        "signature": {
            "timestamp": stamp,
            "token": token,
            "signature": hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest(),
        },
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "timestamp": at.timestamp(),
            "recipient": "lead0@example.com",
            "envelope": {"sender": f"{mark}@shop.example", "targets": "lead0@example.com"},
            "message": {"headers": {"to": "lead0@example.com", "message-id": f"{mark[2:]}@shop.example"}},
            "delivery-status": {
                "code": 550,
                "message": "5.1.1 The email account that you tried to reach does not exist.",
                "description": "",
            },
        }
        | event,
    }
    return Call(json.dumps(body).encode())


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def postmark(mark: str, login: str = LOGIN, **event: Any) -> Call:
    body = {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": "lead0@example.com",
        "BouncedAt": "2026-03-02T10:00:05Z",
        "Content": f"Return-Path: <>\r\nMessage-ID: <report@mx>\r\n\r\nMessage-ID: <{mark[2:]}@shop.example>\r\n\r\nHi",
        "Metadata": {},
    } | event
    return Call(json.dumps(body).encode(), basic(login))


def sendgrid(mark: str, key: ec.EllipticCurvePrivateKey = EC_KEY, at: datetime = NOW, **event: Any) -> Call:
    body = [
        {
            "email": "lead0@example.com",
            "timestamp": int(at.timestamp()),
            "smtp-id": f"<{mark[2:]}@shop.example>",
            "event": "bounce",
            "type": "bounce",
            "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
            "reason": "550 5.1.1 The email account does not exist",
            "status": "5.1.1",
        }
        | event
    ]
    data, stamp = json.dumps(body).encode(), str(int(at.timestamp()))
    signature = base64.b64encode(key.sign(stamp.encode() + data, ec.ECDSA(SHA256()))).decode()
    return Call(
        data,
        {
            "x-twilio-email-event-webhook-signature": signature,
            "x-twilio-email-event-webhook-timestamp": stamp,
        },
    )


def brevo(mark: str, login: str = "a-long-token", **event: Any) -> Call:
    body = {
        "event": "hard_bounce",
        "email": "lead0@example.com",
        "id": 26224,
        "date": "2026-03-02 11:00:05",
        "ts_event": 1772449205,
        "message-id": f"<{mark[2:]}@shop.example>",
        "reason": "550 5.1.1 User unknown",
    } | event
    return Call(json.dumps(body).encode(), {"authorization": f"Bearer {login}"})


def svix(body: dict[str, Any], key: str = RESEND_KEY, at: datetime = NOW, prefix: str = "svix") -> Call:
    data, stamp, name = json.dumps(body).encode(), str(int(at.timestamp())), "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = hmac.digest(base64.b64decode(key.removeprefix("whsec_")), f"{name}.{stamp}.".encode() + data, "sha256")
    signature = f"v1,{base64.b64encode(made).decode()}"
    return Call(data, {f"{prefix}-id": name, f"{prefix}-timestamp": stamp, f"{prefix}-signature": signature})


def resend(mark: str, **more: Any) -> Call:
    how = {name: more.pop(name) for name in ("key", "at", "prefix") if name in more}
    data = {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "created_at": "2026-03-02T10:00:01.894719+00:00",
        "from": "Shop <news@shop.example>",
        "to": ["lead0@example.com"],
        "subject": "Your cart",
        "headers": [{"name": "Message-ID", "value": f"<{mark[2:]}@shop.example>"}],
        "bounce": {
            "type": "Permanent",
            "subType": "General",
            "message": "The recipient's email provider sent a hard bounce message.",
            "diagnosticCode": ["smtp; 550 5.1.1 <lead0@example.com>... User unknown"],
        },
    } | more.pop("data", {})
    return svix({"type": "email.bounced", "created_at": "2026-03-02T10:00:05Z", "data": data} | more, **how)


Maker = Callable[..., Call]
MAKERS: dict[str, Maker] = {
    "ses": ses,
    "mailgun": mailgun,
    "postmark": postmark,
    "sendgrid": sendgrid,
    "brevo": brevo,
    "resend": resend,
}
SIGNED = {name: MAKERS[name] for name in ("ses", "mailgun", "sendgrid", "resend")}
all_providers = pytest.mark.parametrize(("name", "make"), MAKERS.items(), ids=list(MAKERS))
signed_providers = pytest.mark.parametrize(("name", "make"), SIGNED.items(), ids=list(SIGNED))


def test_x12_every_provider_is_tested() -> None:
    from nurture.options import PROVIDERS

    assert set(MAKERS) == set(READERS) == set(PROVIDERS)


@all_providers
async def test_x12_a_good_request_is_taken(name: str, make: Maker, world: World) -> None:
    answer = await world.send(name, make(world.post.mark()))
    assert (answer.status_code, answer.json()) == (200, {"success": True, "taken": {"bounced": 1}})
    assert world.post.scopes() == {ALL: "bounce: 5.1.1"}


@all_providers
async def test_x12_a_replay_does_nothing(name: str, make: Maker, world: World) -> None:
    call = make(world.post.mark())
    await world.send(name, call)
    answer = await world.send(name, call)
    assert (answer.status_code, answer.json()["taken"]) == (200, {"replayed": 1})
    assert len(world.post.said("mail.bounced")) == 1


OTHER = {
    "ses": {"key": OTHER_RSA},
    "mailgun": {"key": "another"},
    "postmark": {"login": "hook:wrong"},
    "sendgrid": {"key": OTHER_EC},
    "brevo": {"login": "wrong"},
    "resend": {"key": "whsec_b3RoZXI="},
}


@all_providers
async def test_x12_another_key_is_refused(name: str, make: Maker, world: World) -> None:
    answer = await world.send(name, make(world.post.mark(), **OTHER[name]))
    assert answer.status_code in (401, 403)
    assert world.untouched()


@signed_providers
async def test_x12_an_old_request_is_refused(name: str, make: Maker, world: World) -> None:
    answer = await world.send(name, make(world.post.mark(), at=NOW - timedelta(hours=2)))
    assert answer.status_code == 403
    assert world.untouched()


@signed_providers
async def test_x12_a_request_from_the_future_is_refused(name: str, make: Maker, world: World) -> None:
    answer = await world.send(name, make(world.post.mark(), at=NOW + timedelta(hours=2)))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("name", "minutes", "status"),
    [("mailgun", 4, 200), ("mailgun", 6, 403), ("sendgrid", 6, 403), ("resend", 4, 200), ("resend", 6, 403)],
)
async def test_x12_signed_times_may_differ_by_five_minutes(name: str, minutes: int, status: int, world: World) -> None:
    answer = await world.send(name, MAKERS[name](world.post.mark(), at=NOW - timedelta(minutes=minutes)))
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ses", b"Permanent", b"permanent"),
        ("ses", b"22b80b92", b"22b80b93"),
        ("mailgun", b"a8ce0edb", b"a8ce0edc"),
        ("sendgrid", b"bounce", b"bouncf"),
        ("resend", b"Permanent", b"permanent"),
    ],
)
async def test_x12_an_altered_byte_is_refused(name: str, old: bytes, new: bytes, world: World) -> None:
    call = MAKERS[name](world.post.mark())
    assert old in call.body
    answer = await world.send(name, replace(call, body=call.body.replace(old, new, 1)))
    assert answer.status_code == 403
    assert world.untouched()


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("postmark", "authorization"),
        ("brevo", "authorization"),
        ("sendgrid", "x-twilio-email-event-webhook-signature"),
        ("sendgrid", "x-twilio-email-event-webhook-timestamp"),
        ("resend", "svix-id"),
        ("resend", "svix-timestamp"),
        ("resend", "svix-signature"),
    ],
)
async def test_x12_a_missing_header_is_refused(name: str, header: str, world: World) -> None:
    call = MAKERS[name](world.post.mark())
    headers = {key: value for key, value in call.headers.items() if key != header}
    assert (await world.send(name, replace(call, headers=headers))).status_code in (401, 403)
    assert world.untouched()


@pytest.mark.parametrize("part", ["Signature", "SigningCertURL", "SignatureVersion", "Timestamp", "TopicArn", "Type"])
async def test_x12_an_sns_message_without_a_part_is_refused(part: str, world: World) -> None:
    call = ses(world.post.mark())
    body = {key: value for key, value in json.loads(call.body).items() if key != part}
    assert (await world.send("ses", Call(json.dumps(body).encode()))).status_code == 403
    assert world.untouched()


@pytest.mark.parametrize("part", ["signature", "token", "timestamp"])
async def test_x12_a_mailgun_request_without_a_part_is_refused(part: str, world: World) -> None:
    body = json.loads(mailgun(world.post.mark()).body)
    del body["signature"][part]
    assert (await world.send("mailgun", Call(json.dumps(body).encode()))).status_code == 403


@all_providers
async def test_e24_a_verified_request_about_a_mail_not_ours_changes_nothing(
    name: str, make: Maker, world: World
) -> None:
    answer = await world.send(name, make(world.post.mark()[:-3] + "aaa"))
    assert (answer.status_code, answer.json()["taken"]) == (200, {"forged": 1})
    assert world.untouched()


@pytest.mark.parametrize("name", ["nosuch", "..%2Fv1", "sesx"])
async def test_x12_an_unknown_provider_is_not_there(name: str, world: World) -> None:
    assert (await world.send(name, Call(b"{}"))).status_code == 404


async def test_x12_a_provider_that_is_not_configured_is_not_there(world: World) -> None:
    world.hooks.providers = {"ses": ARN}
    assert (await world.send("mailgun", mailgun(world.post.mark()))).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe"])
@pytest.mark.parametrize("name", ["postmark", "brevo"])
async def test_x12_nonsense_of_the_right_sender_is_answered_plainly(name: str, body: bytes, world: World) -> None:
    headers = MAKERS[name](world.post.mark()).headers
    assert (await world.send(name, Call(body, headers))).status_code in (200, 400)
    assert world.untouched()


async def test_x12_a_body_without_end_is_refused(world: World) -> None:
    assert (await world.send("brevo", Call(b"x" * (2 * 1024 * 1024 + 1)))).status_code == 413


async def test_x12_an_address_outside_the_networks_is_refused(world: World) -> None:
    world.hooks.providers = {"postmark": f"{LOGIN} 192.0.2.0/24"}
    assert (await world.send("postmark", postmark(world.post.mark()))).status_code == 403
    assert world.untouched()


async def test_x12_a_missing_password_is_asked_for(world: World) -> None:
    answer = await world.send("postmark", replace(postmark(world.post.mark()), headers={}))
    assert answer.headers["www-authenticate"] == 'Basic realm="postmark"'


async def test_x12_while_a_key_is_changed_both_are_taken(world: World) -> None:
    world.hooks.providers = {"mailgun": f"the-new-key {MAILGUN_KEY}"}
    assert (await world.send("mailgun", mailgun(world.post.mark()))).status_code == 200


async def test_x12_without_a_database_the_provider_is_asked_to_try_again(world: World) -> None:
    def gone() -> None:
        raise StoreUnavailable("the disk is full")

    world.hooks.live = gone
    answer = await world.send("brevo", brevo(world.post.mark()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


# ── Standard Webhooks ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_x12_the_standards_own_headers_are_taken_as_well(world: World) -> None:
    assert (await world.send("resend", resend(world.post.mark(), prefix="webhook"))).status_code == 200


async def test_x12_one_good_signature_of_several_is_enough(world: World) -> None:
    call = resend(world.post.mark())
    several = f"v1,b3RoZXI= v1a,unknown {call.headers['svix-signature']}"
    answer = await world.send("resend", replace(call, headers=call.headers | {"svix-signature": several}))
    assert answer.json()["taken"] == {"bounced": 1}


@pytest.mark.parametrize("signature", ["", "v1", "v1,", "v1,=", "v2,{made}", "{made}", "v1;{made}"])
async def test_x12_a_signature_of_another_form_is_refused(signature: str, world: World) -> None:
    call = resend(world.post.mark())
    given = signature.format(made=call.headers["svix-signature"].partition(",")[2])
    headers = call.headers | {"svix-signature": given}
    assert (await world.send("resend", replace(call, headers=headers))).status_code == 403
    assert world.untouched()


@pytest.mark.parametrize("header", ["svix-id", "svix-timestamp"])
async def test_x12_what_is_signed_beside_the_body_cannot_be_changed(header: str, world: World) -> None:
    call = resend(world.post.mark())
    headers = call.headers | {header: call.headers[header][:-1] + "7"}
    assert (await world.send("resend", replace(call, headers=headers))).status_code == 403


async def test_e24_a_mail_whose_message_id_was_replaced_is_known_by_its_unsubscribe_link(world: World) -> None:
    link = LINKS.unsubscribe(world.post.lead, "offers", world.post.message)
    headers = [{"name": "Message-ID", "value": "<0100@email.amazonses.com>"}]
    headers += [{"name": "List-Unsubscribe", "value": f"<{link}>, <mailto:b@shop.example>"}]
    answer = await world.send("resend", resend(world.post.mark(), data={"headers": headers}))
    assert answer.json()["taken"] == {"bounced": 1}


async def test_e24_a_changed_unsubscribe_link_names_no_mail(world: World) -> None:
    link = LINKS.unsubscribe(world.post.lead, "offers", world.post.message)
    changed = link[:-3] + ("aaa" if link[-3:] != "aaa" else "bbb")
    headers = [{"name": "List-Unsubscribe", "value": f"<{changed}>"}]
    answer = await world.send("resend", resend(world.post.mark(), data={"headers": headers}))
    assert answer.json()["taken"] == {"forged": 1}
    assert world.untouched()


# ── SNS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_x12_sns_signatures_of_version_1_are_taken(world: World) -> None:
    assert (await world.send("ses", ses(world.post.mark(), SignatureVersion="1"))).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com:444/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.evil.example\\.eu-west-1.amazonaws.com/a.pem",
        "file:///etc/passwd",
        "",
    ],
)
async def test_x12_no_certificate_is_fetched_from_elsewhere(url: str, world: World) -> None:
    answer = await world.send("ses", ses(world.post.mark(), SigningCertURL=url))
    assert (answer.status_code, world.fetched) == (403, [])


async def test_x12_a_topic_that_is_not_listed_is_refused_before_anything_is_fetched(world: World) -> None:
    answer = await world.send("ses", ses(world.post.mark(), TopicArn=ARN + "x"))
    assert (answer.status_code, world.fetched) == (403, [])


async def test_x12_a_certificate_that_ended_is_refused(world: World) -> None:
    world.hooks.fetch = lambda _url: certificate(RSA_KEY, until=NOW - timedelta(days=1))
    assert (await world.send("ses", ses(world.post.mark()))).status_code == 403


async def test_x12_where_the_certificate_cannot_be_had_amazon_is_asked_to_try_again(world: World) -> None:
    def fetch(_url: str) -> bytes:
        raise Unavailable

    world.hooks.fetch = fetch
    assert (await world.send("ses", ses(world.post.mark()))).status_code == 503


CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"


async def test_x12_the_subscription_of_a_listed_topic_is_confirmed(world: World) -> None:
    call = sns({}, Type="SubscriptionConfirmation", SubscribeURL=CONFIRM, Token="2336412f37")
    assert (await world.send("ses", call)).status_code == 200
    assert world.fetched == [CERTIFICATE, CONFIRM]


async def test_x12_a_subscription_is_confirmed_nowhere_else(world: World) -> None:
    call = sns({}, Type="SubscriptionConfirmation", SubscribeURL="https://evil.example/", Token="2336412f37")
    assert (await world.send("ses", call)).status_code == 403
    assert world.fetched == [CERTIFICATE]


# ── What they say (E28) ─────────────────────────────────────────────────────────────────────────────────────────────


def notice(name: str, call: Call) -> Notice:
    read = READERS[name]
    words = tuple(SETTINGS[name].split())
    [found] = read(Posted(call.headers, call.body, "198.51.100.7", NOW, words, lambda _url: certificate(RSA_KEY)))
    return found


def ses_event(kind: str, **part: Any) -> Call:
    key = kind[:1].lower() + kind[1:]
    return sns({"eventType": kind, key: part, "mail": ses_mail("b+1a.mac")})


@pytest.mark.parametrize(
    ("name", "call", "kind"),
    [
        ("ses", ses_event("Complaint", complaintFeedbackType="abuse"), "complained"),
        ("ses", ses_event("Complaint", complaintFeedbackType="not-spam"), "unknown"),
        ("ses", ses_event("Delivery", smtpResponse="250 ok"), "delivered"),
        ("ses", ses_event("DeliveryDelay", delayType="MailboxFull"), "deferred"),
        ("ses", ses_event("Reject", reason="Bad content"), "rejected"),
        ("ses", ses_event("Send"), "queued"),
        ("ses", ses_event("Open"), "opened"),
        ("ses", ses_event("Bounce", bounceType="Permanent", bounceSubType="OnAccountSuppressionList"), "rejected"),
        ("ses", ses_event("Tomorrow"), "unknown"),
        ("mailgun", mailgun("b+1a.mac", severity="temporary"), "deferred"),
        ("mailgun", mailgun("b+1a.mac", reason="suppress-bounce"), "rejected"),
        ("mailgun", mailgun("b+1a.mac", event="complained"), "complained"),
        ("mailgun", mailgun("b+1a.mac", event="unsubscribed"), "unsubscribed"),
        ("mailgun", mailgun("b+1a.mac", event="delivered"), "delivered"),
        ("mailgun", mailgun("b+1a.mac", event="list_member_uploaded"), "unknown"),
        ("postmark", postmark("b+1a.mac", Type="SoftBounce"), "bounced"),
        ("postmark", postmark("b+1a.mac", Type="Transient"), "deferred"),
        ("postmark", postmark("b+1a.mac", Type="AutoResponder"), "autoresponded"),
        ("postmark", postmark("b+1a.mac", RecordType="SpamComplaint", Type="SpamComplaint"), "complained"),
        ("postmark", postmark("b+1a.mac", RecordType="Delivery"), "delivered"),
        ("sendgrid", sendgrid("b+1a.mac", event="spamreport"), "complained"),
        ("sendgrid", sendgrid("b+1a.mac", event="dropped"), "rejected"),
        ("sendgrid", sendgrid("b+1a.mac", event="deferred"), "deferred"),
        ("sendgrid", sendgrid("b+1a.mac", event="group_unsubscribe"), "unsubscribed"),
        ("sendgrid", sendgrid("b+1a.mac", event="group_resubscribe"), "unknown"),
        ("resend", resend("b+1a.mac", type="email.complained"), "complained"),
        ("resend", resend("b+1a.mac", type="email.delivered"), "delivered"),
        ("resend", resend("b+1a.mac", type="email.delivery_delayed"), "deferred"),
        ("resend", resend("b+1a.mac", type="email.suppressed"), "rejected"),
        ("resend", resend("b+1a.mac", data={"bounce": {"subType": "OnAccountSuppressionList"}}), "rejected"),
        ("resend", resend("b+1a.mac", type="email.failed"), "failed"),
        ("resend", resend("b+1a.mac", type="email.sent"), "queued"),
        ("resend", resend("b+1a.mac", type="contact.created"), "unknown"),
        ("brevo", brevo("b+1a.mac", event="spam"), "complained"),
        ("brevo", brevo("b+1a.mac", event="soft_bounce"), "bounced"),
        ("brevo", brevo("b+1a.mac", event="blocked"), "rejected"),
        ("brevo", brevo("b+1a.mac", event="unsubscribed"), "unsubscribed"),
        ("brevo", brevo("b+1a.mac", event="list_addition"), "unknown"),
    ],
)
def test_e28_every_provider_speaks_in_common_words(name: str, call: Call, kind: str) -> None:
    assert str(notice(name, call).kind) == kind


@all_providers
def test_e28_a_hard_bounce_is_the_same_notice_whoever_says_it(name: str, make: Maker) -> None:
    found = notice(name, make("b+1a.mac"))
    assert (found.kind, found.recipient, found.code, found.status) == (Kind.BOUNCED, "lead0@example.com", 550, "5.1.1")
    assert "1a.mac" in found.marks
    assert found.id


async def test_e15_a_soft_bounce_closes_nothing(world: World) -> None:
    await world.send("brevo", brevo(world.post.mark(), event="soft_bounce", reason="mailbox temporarily busy"))
    assert (world.post.scopes(), world.post.row().bounce) == ({}, "soft")


async def test_e15_a_hard_bounce_without_codes_is_believed(world: World) -> None:
    await world.send("brevo", brevo(world.post.mark(), reason="unknown user"))
    assert ALL in world.post.scopes()


async def test_e15_a_block_by_policy_is_not_the_leads_fault_whatever_the_provider_calls_it(world: World) -> None:
    await world.send("brevo", brevo(world.post.mark(), reason="550 5.7.1 rejected by spamhaus"))
    assert world.post.scopes() == {}


async def test_e26_a_complaint_to_a_provider_ends_marketing(world: World) -> None:
    await world.send("sendgrid", sendgrid(world.post.mark(), event="spamreport"))
    assert world.post.scopes()[MARKETING].startswith("complaint")


@pytest.mark.parametrize("event", ["opened", "click"])
async def test_c20_openings_and_clicks_of_a_provider_are_not_kept(event: str, world: World) -> None:
    answer = await world.send("brevo", brevo(world.post.mark(), event=event))
    assert answer.json()["taken"] == {}
    with world.post.site.db.read() as tx:
        assert tx.execute(event_keys.select().where(event_keys.c.source == "hooks:brevo")).all() == []

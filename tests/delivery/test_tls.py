"""E21: encryption is never weakened, credentials never travel in clear, the password appears nowhere."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nurture.delivery.smtp import SmtpOptions, SmtpTransport, Unreachable
from nurture.delivery.transport import Sent
from nurture.errors import UserError
from tests.delivery.conftest import a_mail, mails, options, server_context, smtp
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Say, ScriptedServer

Certificate = tuple[Path, Path]
PASSWORD = "correct horse battery"


async def test_e21_starttls_with_a_trusted_certificate_carries_mails_and_the_password(certificate: Certificate) -> None:
    wire = RecordingWire()
    tls = server_context(*certificate)
    async with ScriptedServer(tls=tls, login=("shop", PASSWORD)) as server:
        secure = {"tls": "required", "ca_file": str(certificate[0]), "username": "shop", "password": PASSWORD}
        async with smtp(server.port, connections=2, **secure) as transport:
            await transport.send(mails(40), wire)
        assert wire.kinds() == {Sent: 40}
        assert len(server.received) == 40


async def test_e21_implicit_tls_carries_mails(certificate: Certificate) -> None:
    wire = RecordingWire()
    async with ScriptedServer(tls=server_context(*certificate), implicit_tls=True) as server:
        async with smtp(server.port, tls="implicit", ca_file=str(certificate[0])) as transport:
            await transport.send(mails(3), wire)
        assert len(server.received) == 3


async def test_e21_where_starttls_was_stripped_nothing_follows_ehlo() -> None:
    wire = RecordingWire()
    async with ScriptedServer(login=("shop", PASSWORD)) as server:
        async with smtp(server.port, tls="required", username="shop", password=PASSWORD) as transport:
            await transport.send([a_mail(1)], wire)
        assert wire.dropped(1).reply.phase == "starttls"
        assert "does not offer STARTTLS" in wire.dropped(1).reply.text
        assert not wire.dropped(1).dot_written
        assert [line.split()[0] for _, line in server.commands] == ["EHLO"]


async def test_e21_a_refused_starttls_is_not_followed_by_anything(certificate: Certificate) -> None:
    wire = RecordingWire()
    script = {"STARTTLS": Say("454 4.7.0 TLS not available")}
    async with ScriptedServer(script, tls=server_context(*certificate), login=("shop", PASSWORD)) as server:
        secure = {"tls": "required", "ca_file": str(certificate[0]), "username": "shop", "password": PASSWORD}
        async with smtp(server.port, **secure) as transport:
            await transport.send([a_mail(1)], wire)
        assert (wire.refused(1).reply.phase, wire.refused(1).reply.code) == ("starttls", 454)
        assert [line.split()[0] for _, line in server.commands] == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("tls", ["required", "implicit"])
async def test_e21_a_self_signed_certificate_is_refused(tls: str, certificate: Certificate) -> None:
    wire = RecordingWire()
    implicit = tls == "implicit"
    async with ScriptedServer(tls=server_context(*certificate), implicit_tls=implicit) as server:
        async with smtp(server.port, tls=tls) as transport:
            await transport.send([a_mail(1)], wire)
        assert wire.dropped(1).reply.phase == "starttls"
        assert "certificate" in wire.dropped(1).reply.text
        assert server.lines("MAIL") == []


@pytest.mark.parametrize("tls", ["required", "implicit"])
async def test_e21_a_certificate_for_another_name_is_refused(tls: str, foreign_certificate: Certificate) -> None:
    wire = RecordingWire()
    implicit = tls == "implicit"
    async with ScriptedServer(tls=server_context(*foreign_certificate), implicit_tls=implicit) as server:
        async with smtp(server.port, tls=tls, ca_file=str(foreign_certificate[0])) as transport:
            await transport.send([a_mail(1)], wire)
        assert wire.dropped(1).reply.phase == "starttls"
        assert server.lines("MAIL") == []


async def test_e21_a_refused_sign_in_stops_the_run_and_shows_no_password(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], certificate: Certificate
) -> None:
    wire = RecordingWire()
    caplog.set_level(logging.DEBUG)
    token = "AHNob3AAY29ycmVjdCBob3JzZSBiYXR0ZXJ5"  # what AUTH PLAIN makes of it
    script = {"AUTH": Say(f"535 5.7.8 bad credentials {PASSWORD} {token}")}
    async with ScriptedServer(script, tls=server_context(*certificate), login=("shop", "another")) as server:
        secure = {"tls": "required", "ca_file": str(certificate[0]), "username": "shop", "password": PASSWORD}
        async with smtp(server.port, **secure) as transport:
            await transport.send(mails(3), wire)
            with pytest.raises(Unreachable) as refusal:
                await transport.check()
        assert [wire.refused(n).reply.code for n in (1, 2, 3)] == [535, 535, 535]
        assert wire.refused(1).reply.phase == "auth"
        assert server.lines("MAIL") == []
    printed = capsys.readouterr()
    everything = "\n".join(
        [caplog.text, printed.out, printed.err, str(refusal.value), repr(wire.order), repr(transport)]
    )
    assert PASSWORD not in everything
    assert token not in everything


def test_e21_the_password_is_not_in_the_options_text() -> None:
    assert PASSWORD not in repr(SmtpOptions("mail.example.com", 587, username="shop", password=PASSWORD))


def test_e21_required_is_the_default() -> None:
    assert SmtpOptions("mail.example.com", 587).tls == "required"


@pytest.mark.parametrize(
    "changes",
    [{"host": "mail.example.com"}, {"host": "10.0.0.4"}, {"username": "shop", "password": PASSWORD}],
    ids=["another host", "another address", "credentials"],
)
def test_e21_plain_text_beyond_this_machine_or_with_a_password_must_be_allowed_in_words(
    changes: dict[str, str],
) -> None:
    with pytest.raises(UserError) as refusal:
        options(25, **changes)
    assert PASSWORD not in str(refusal.value)
    assert refusal.value.hint is not None
    assert options(25, allow_insecure=True, **changes).tls == "none"


async def test_a_certificate_file_that_is_none_is_told_plainly(tmp_path: Path) -> None:
    wire = RecordingWire()
    (tmp_path / "ca.pem").write_text("not a certificate")
    transport = SmtpTransport(options(9, tls="required", ca_file=str(tmp_path / "ca.pem")))
    with pytest.raises(UserError, match=r"smtp\.ca_file"):
        await transport.send([a_mail(1)], wire)
    assert len(wire.results) == 1
    await transport.aclose()

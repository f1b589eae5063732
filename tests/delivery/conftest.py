"""Mails, options and certificates that state only what matters."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpOptions, SmtpTransport
from nurture.delivery.transport import Mail

CONTENT = b"From: shop@example.com\r\nTo: lea@example.net\r\nSubject: Hello\r\n\r\nGood day.\r\n"
SHORT = Timeouts(connect=2, command=2, mail=0.4, rcpt=0.4, data=0.4, block=0.4, dot=0.4, quit=0.2)


def a_mail(number: int = 1, **changes: object) -> Mail:
    mail = Mail(number, f"b+{number}@bounce.example.com", f"lead{number}@example.net", CONTENT)
    return replace(mail, **changes)  # type: ignore[arg-type]


def mails(count: int) -> list[Mail]:
    return [a_mail(number) for number in range(1, count + 1)]


def options(port: int, **changes: object) -> SmtpOptions:
    plain = SmtpOptions(host="127.0.0.1", port=port, tls="none", connections=1, timeouts=SHORT)
    return replace(plain, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def smtp(port: int, **changes: object) -> AsyncIterator[SmtpTransport]:
    transport = SmtpTransport(options(port, **changes))
    try:
        yield transport
    finally:
        await transport.aclose()


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for something another task does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 — the condition belongs to no event
            await asyncio.sleep(0.005)


def make_certificate(folder: Path, name: str, *, on_loopback: bool = True) -> tuple[Path, Path]:
    """A self-signed certificate and its key as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if on_loopback:
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For 127.0.0.1; trusted where the options name it as `ca_file`."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "scripted.test")


@pytest.fixture(scope="session")
def foreign_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For another host."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "other.test", on_loopback=False)

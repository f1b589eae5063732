"""The mail server: whether it takes us in, how it encrypts, and whether somebody hears what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.cli.doctor.finding import Finding, broken, failed, look, ok
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.delivery.smtp import Greeted
    from nurture.settings import Settings

SOON = timedelta(days=14)  # a certificate that renews itself has done so by then
_PATIENCE = 20  # seconds for greeting, TLS and sign-in


def mail_server(settings: Settings, now: datetime) -> Iterator[Finding]:
    """A connection as the worker would open it."""
    where = f"{settings.smtp.host}:{settings.smtp.port}"
    try:
        greeted = asyncio.run(_greet(settings))
    except NurtureError as error:
        yield broken("mail", f"{where}: {error.message}", error.hint or "look at 'smtp' in config.yaml")
    else:
        signed = "signed in" if settings.smtp.username else "no sign-in"
        yield ok("mail", f"{where} answers, {signed}")
        yield encryption(greeted, where, now)
    yield returns(settings)


def returns(settings: Settings) -> Finding:
    """Whether somebody hears what comes back: the box is opened as the worker would, and left as it is."""
    with _parts(settings) as app:
        box = app.box()
        if box is not None:
            try:
                box.check()
                with box.opened():
                    return ok("returns", "the box that bounces arrive in can be read")
            except NurtureError as error:
                return failed("returns", error, "mend 'returns' in config.yaml")
    if settings.providers:
        return ok("returns", f"bounces are told by {', '.join(settings.providers)}")
    text = "nobody hears of bounces and complaints"
    return look("returns", text, "set 'returns' or 'providers' in config.yaml (docs/how-to/receive-bounces.md)")


def encryption(greeted: Greeted, where: str, now: datetime) -> Finding:
    """How the connection is encrypted (trust E21). The certificate was verified, or there would be no connection."""
    if greeted.tls is None:
        return ok("tls", f"{where} is spoken to without TLS, as 'tls: none' says")
    return certificate("tls", f"{where} speaks {greeted.tls}", greeted.until, now)


def certificate(topic: str, speaks: str, until: datetime | None, now: datetime) -> Finding:
    """An accepted certificate, and whether it ends soon."""
    if until is None:
        return ok(topic, speaks)
    if until - now > SOON:
        return ok(topic, f"{speaks}, with a certificate until {until:%Y-%m-%d}")
    text = f"{speaks}, and its certificate ends on {until:%Y-%m-%d}, in {max((until - now).days, 0)} days"
    return look(topic, text, "renew it, or see why it does not renew itself")


async def _greet(settings: Settings) -> Greeted:
    from nurture.delivery.smtp import SmtpTransport

    with _parts(settings) as app:
        transport = app.transport()
        assert isinstance(transport, SmtpTransport)
        try:
            return await asyncio.wait_for(transport.check(), _PATIENCE)
        except TimeoutError as error:
            raise NurtureError(f"no answer within {_PATIENCE} seconds") from error
        finally:
            await transport.aclose()


@contextmanager
def _parts(settings: Settings) -> Iterator[App]:
    """The project's parts, without its database."""
    from nurture.app import App
    from nurture.store.database import open_database

    database = open_database("sqlite://")
    try:
        yield App(settings, database)
    finally:
        database.close()

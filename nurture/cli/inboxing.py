"""`nurture inbox`: the mails that `transport: folder` wrote, in the browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import ProjectOption, open_folder
from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.folder import Folder
    from nurture.inbox.pages import InboxPages
    from nurture.store.database import Transaction


def inbox(
    port: Annotated[int, typer.Option("--port", help="Port of the page.", min=1, max=65535)] = 8026,
    project: ProjectOption = None,
) -> None:
    """The mails that 'transport: folder' wrote, in the browser, until Ctrl-C. On this machine only."""
    from nurture.inbox.folder import WORDS, FolderInbox
    from nurture.inbox.pages import InboxPages
    from nurture.settings import load_settings

    folder = open_folder(project)
    settings = load_settings(folder, os.environ)
    if settings.mail_folder is None or settings.transport != "folder":
        hint = "for an inbox on this machine, write 'transport: folder' in config.yaml"
        raise UserError(f"this project's mails leave by '{settings.transport}'", hint=hint)
    letters = FolderInbox(settings.project, settings.mail_folder, lambda: _reading(folder))
    typer.echo(f"the inbox is at http://127.0.0.1:{port}, Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        asyncio.run(_show(InboxPages(letters, port, settings.base_url, WORDS)))


@contextmanager
def _reading(folder: Folder) -> Iterator[Transaction | None]:
    """The project's database for a look, None where there is none yet."""
    from nurture.cli.opening import as_it_is

    with as_it_is(folder) as database:
        if database.missing:
            yield None
            return
        with database.read() as tx:
            yield tx


async def _show(pages: InboxPages) -> None:
    await pages.start()
    try:
        await asyncio.Event().wait()
    finally:
        await pages.stop()

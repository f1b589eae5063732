"""`nurture returns`: bounces, complaints and replies, read now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json, project_root
from nurture.errors import UserError

MEANINGS = {
    "bounced": "bounced",
    "complained": "called spam: no marketing goes there any more",
    "unsubscribed": "left by a mailed unsubscribe, or by the provider's link",
    "asked": "answered that they want no more mail; a colleague was told",
    "replied": "answered by a person; kept, marked as seen",
    "delivered": "arrived, which nobody knew",
    "repeated": "known already",
    "ignored": "nothing to do: delays, absence notes, mails that are no reports",
    "late": "too late to mean anything",
    "forged": "without our mark; nothing was done; kept, marked as seen",
}


def returns(
    maildir: Annotated[
        Path | None, typer.Argument(metavar="MAILDIR", help="Another Maildir than config.yaml's.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Read returned mail now: bounces, complaints, replies. A worker does it by itself, within a minute."""
    from collections import Counter

    from nurture.app import open_app
    from nurture.logs import set_up

    set_up()
    app = open_app(project_root(project))
    app.check()
    live = app.live()
    if live is None:
        raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
    reader = app.returns(maildir)
    if reader is None:
        hint = "name it, or write 'returns: {maildir: PATH}' or 'returns: {imap: {…}}' in config.yaml"
        raise UserError("which Maildir?", hint=hint)
    reader.box.check()
    counts: Counter[str] = Counter()
    while found := reader.read(live, app.clock.now()):
        counts += found
    if as_json:
        print_json(dict(counts))
        return
    for word, count in counts.most_common():
        typer.echo(f"{counted(count, 'mail'):>12}  {MEANINGS.get(word, word)}")
    if not counts:
        typer.echo("nothing new")

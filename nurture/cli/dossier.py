"""`nurture consent dossier` and `checkpoint`: proof that can be handed over, and held against the ledger later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.cli.privacy import LeadArgument, find, open_project, write_private
from nurture.errors import EXIT_USER, UserError


def dossier(
    lead: LeadArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Into this file, not the screen.")] = None,
    as_json: JsonOption = False,
    as_dpv: Annotated[
        bool,
        typer.Option("--json-ld", help="For other programs: JSON-LD in the terms of the W3C's DPV."),
    ] = False,
    project: ProjectOption = None,
) -> None:
    """The proof of one person's consent: a page to print, or JSON in the terms of ISO/IEC TS 27560."""
    import json

    from nurture.engine import dossier as proof
    from nurture.engine import dpv

    at = open_project(project)
    with at.database.read() as tx:
        found = find(tx, lead)
        if as_dpv:
            said: dict[str, Any] | None = dpv.records(tx, found, at.settings.project, at.processing)
        else:
            said = proof.dossier(tx, found, at.settings.project, at.processing, at.keyring, at.clock.now())
    assert said is not None, "the lead was found in this transaction"
    as_data = as_json or as_dpv
    text = json.dumps(said, ensure_ascii=False, indent=2) + "\n" if as_data else proof.readable(said)
    if out is not None:
        write_private(out, text)
    else:
        typer.echo(text, nl=False)


def checkpoint(
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Hold the ledger against this checkpoint.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """The ends of all chains of the ledger, signed: keep it elsewhere, daily. It names nobody."""
    import json

    from nurture.engine import dossier as proof

    at = open_project(project)
    if verify is None:
        with at.database.read() as tx:
            print_json(proof.checkpoint(tx, at.keyring, at.clock.now()))
        return
    try:
        kept = json.loads(verify.read_text("utf-8"))
        with at.database.read() as tx:
            wrong = proof.against(tx, at.keyring, kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{verify} is no checkpoint", hint="'nurture consent checkpoint > FILE' makes one") from error
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise typer.Exit(EXIT_USER)
    typer.echo(f"the ledger holds everything it held at {kept['at'][:19]}")

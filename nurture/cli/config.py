"""`nurture config`: what config.yaml says, without its secrets."""

from __future__ import annotations

import os

import typer

from nurture.cli.console import JsonOption, ProjectOption, open_folder, print_json

app = typer.Typer(help="What config.yaml says, without its secrets.", no_args_is_help=True)


@app.callback()
def _config() -> None:
    """What config.yaml says, without its secrets."""


@app.command("show")
def show(as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """Print config.yaml with every secret masked, and whether each ${NAME} and ${file:PATH} is there. What stands
    behind them is never shown."""
    import yaml

    from nurture.exposure import references, shown

    folder = open_folder(project)
    told, known = shown(folder), references(folder, os.environ)
    if as_json:
        print_json({"config": told, "references": known})
        return
    typer.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=120).rstrip())
    for name, there in known.items():
        typer.echo(f"# ${{{name}}} is {'there' if there else 'missing'}")

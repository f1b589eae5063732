"""Pages of docs/reference that are written from the program itself; `make docs` renews them.

python -m nurture.cli.reference DIR
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from nurture.cli import app
from nurture.cli.reference_keys import campaign_page, config_page, mapping_page
from nurture.cli.reference_rules import rules_page
from nurture.cli.schema import Written, as_text, schema_of

_HEAD = """# Commands

Written from the commands themselves; `nurture COMMAND --help` says the same.

A project is found upward from the current folder, or named by `--project DIR`. Exit codes: 0 done, 1 your problem, told
plainly, 3 ours, with a log to paste, 130 interrupted.
"""


def pages() -> dict[str, str]:
    """File name → Markdown."""
    return {
        "commands.md": commands_page(),
        "campaign-keys.md": campaign_page(),
        "config-keys.md": config_page(),
        "mapping-keys.md": mapping_page(),
        "rules.md": rules_page(),
        **{f"{of}.schema.json": as_text(schema_of(of)) for of in Written},
    }


def commands_page() -> str:
    """Markdown: a section for each command, those of a group one after another."""
    root: Any = typer.main.get_command(app)
    return "\n".join([_HEAD, *_told(root, "nurture")])


def _told(group: Any, path: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if getattr(command, "commands", None):
            yield from _told(command, f"{path} {name}")
        else:
            yield _section(command, f"{path} {name}")


def _section(command: Any, path: str) -> str:
    words = [path]
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or {"--help", "--project"} & set(parameter.opts):
            continue
        shown = _shown(parameter)
        if parameter.param_type_name == "argument":
            words.append(shown)
        rows.append(_row(shown, " ".join((getattr(parameter, "help", None) or "").split())))
    lines = [f"## `{' '.join(words)}`", "", " ".join((command.help or "").split()), ""]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(shown: str, told: str) -> str:
    return "| `{}` | {} |".format(*(part.replace("|", "\\|") for part in (shown, told)))


def _shown(parameter: Any) -> str:
    """`NAME`, `[NAME]`, `NAME…`, or an option with what it takes."""
    typed = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    choices = [str(choice.value) for choice in typed] if isinstance(typed, type) and issubclass(typed, Enum) else []
    takes = parameter.metavar or "|".join(choices) or (parameter.name or "").upper()
    if parameter.param_type_name == "argument":
        takes = takes.strip("[]") + ("…" if parameter.nargs == -1 else "")
        return takes if parameter.required else f"[{takes}]"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {takes}"


if __name__ == "__main__":
    for _name, _text in pages().items():
        (Path(sys.argv[1]) / _name).write_text(_text)

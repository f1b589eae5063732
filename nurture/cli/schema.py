"""`nurture schema`: the JSON Schemas of the files people write, for editors."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import ProjectOption, project_root, write_file
from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.campaign.reading.schema import Schema
    from nurture.folder import Folder

FOLDER = "schemas"  # in the project, where the first lines of its files point


class Written(StrEnum):
    CAMPAIGN = "campaign"
    CONFIG = "config"
    MAPPING = "mapping"


def schema(
    of: Annotated[
        Written | None, typer.Argument(metavar="[campaign|config|mapping]", help="Of which files; campaigns if none.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write all three into schemas/, with this project's names in them.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Print the JSON Schema of campaign files, of config.yaml or of mappings, so that an editor completes them."""
    if not write:
        typer.echo(as_text(schema_of(of or Written.CAMPAIGN)), nl=False)
        return
    if of is not None:
        raise UserError("--write writes all three", hint=f"leave '{of}' out")
    for path in write_schemas(project_root(project)):
        typer.echo(path)


def schema_of(of: Written) -> Schema:
    from nurture.campaign.mapping_keys import mapping_schema
    from nurture.campaign.reading.campaign import campaign_schema
    from nurture.options import config_schema

    match of:
        case Written.CAMPAIGN:
            return campaign_schema()
        case Written.CONFIG:
            return config_schema()
        case Written.MAPPING:
            return mapping_schema()


def as_text(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def path_of(of: Written) -> str:
    """From the project's folder."""
    return f"{FOLDER}/{of}.schema.json"


def write_schemas(root: Path) -> list[Path]:
    """All three, with the names the project has now; where they were written."""
    from nurture.campaign.reading.knowing import knowing
    from nurture.folder import read_folder
    from nurture.settings import read_language

    folder = read_folder(root)
    known = read_language(folder, os.environ).project
    files = _named_by_files(folder)
    written = []
    for of in Written:
        path = root / path_of(of)
        path.parent.mkdir(exist_ok=True)
        write_file(path, as_text(knowing(schema_of(of), known, files)))
        written.append(path)
    return written


def _named_by_files(folder: Folder) -> dict[str, list[str]]:
    """Names of campaigns and templates, which files have and no section declares."""
    from nurture.campaign.source import Findings, Mapping, Scalar, read_tree
    from nurture.mail.template import template_names

    trees = [read_tree(file, text, Findings()) for file, text in folder.campaigns.items()]
    named = [tree.get("campaign") for tree in trees if isinstance(tree, Mapping)]
    return {
        "campaign": [node.text for node in named if isinstance(node, Scalar)],
        "template": list(template_names(folder.templates)),
    }


def hint_for(path: str) -> bytes:
    """The line that tells an editor the schema of the project's file at that path; empty for files that have none."""
    of = Written.CONFIG if path == "config.yaml" else _BY_FOLDER.get(path.partition("/")[0])
    if of is None or not path.endswith(".yaml"):
        return b""
    return f"# yaml-language-server: $schema={'../' * path.count('/') or './'}{path_of(of)}\n".encode()


_BY_FOLDER = {"campaigns": Written.CAMPAIGN, "mappings": Written.MAPPING}

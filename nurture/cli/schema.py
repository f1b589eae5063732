"""`nurture schema`: the JSON Schemas of the files people write, for editors."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nurture.campaign.reading.schema import Schema


class Written(StrEnum):
    CAMPAIGN = "campaign"
    CONFIG = "config"
    MAPPING = "mapping"


def schema(
    of: Annotated[
        Written, typer.Argument(metavar="[campaign|config|mapping]", help="Of which files.")
    ] = Written.CAMPAIGN,
) -> None:
    """Print the JSON Schema of campaign files, of config.yaml or of mappings, so that an editor completes them."""
    typer.echo(as_text(schema_of(of)), nl=False)


def as_text(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


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

"""`nurture schema`: the JSON Schema of campaign files, for editors."""

from __future__ import annotations

from nurture.cli.console import print_json


def schema() -> None:
    """Print the JSON Schema of campaign files, so that an editor completes them."""
    from nurture.campaign.reading.campaign import campaign_schema

    print_json(campaign_schema())

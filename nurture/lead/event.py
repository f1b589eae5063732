"""What leads do, as callers tell it. The engine's own events have a dot in their name; nobody else's may (S1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

LONGEST_NAME = 200  # characters

# The engine's own events that this part of the program writes.
LEAD_CREATED = "lead.created"
LEAD_CHANGED = "lead.changed"
FORM_SUBMITTED = "form.submitted"
CONSENT_REQUESTED = "consent.requested"
CONSENT_GRANTED = "consent.granted"
CONSENT_WITHDRAWN = "consent.withdrawn"
ENROLLMENT_ENDED = "enrollment.ended"

# What Segment's `page` and `screen` calls are stored as; `name` and `category` of the call become properties.
PAGE_VIEWED = "page_viewed"
SCREEN_VIEWED = "screen_viewed"


class Happening(msgspec.Struct, frozen=True):
    """An event about to be stored. `at` is when it happened, never after `accepted_at` (S1); a `fact` came too late, or
    by import, to open, settle or wake anything (S2)."""

    lead: int
    name: str
    at: datetime
    accepted_at: datetime
    properties: Mapping[str, Any] = {}
    fact: bool = False
    source: str = "api"


def name_problem(name: str) -> str | None:
    """Why callers may not use this event name, None where they may."""
    if not name.strip():
        return "an event needs a name"
    if len(name) > LONGEST_NAME:
        return f"an event's name has at most {LONGEST_NAME} characters"
    if "." in name:
        return "an event name with a dot is the engine's own; choose one without"
    return None

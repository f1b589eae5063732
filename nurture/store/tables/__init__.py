"""Every table. Private to `store`: rows do not validate and do not leave it; functions beside this file take and
return dataclasses or tuples.

States name their movers. Instants are UTC (`UTCDateTime`). `shard` is 0–63 from the lead's id, stored so that work of
one shard is found by an index and owned by one worker at a time.
"""

from __future__ import annotations

from nurture.store.tables.campaigns import campaigns, deployment, deploys, templates, versions
from nurture.store.tables.column import SHARDS, metadata
from nurture.store.tables.doings import event_keys, events, shards
from nurture.store.tables.journeys import decisions, enrollments, matches, sweeps, timers
from nurture.store.tables.machinery import api_keys, imports, kept_keys, tallies, workers
from nurture.store.tables.mail import attempts, closures, hits, message_links, messages
from nurture.store.tables.people import accounts, identities, lead_scores, lead_stages, lead_tags, leads, stage_moves
from nurture.store.tables.permission import (
    consent_ledger,
    consent_ledger_heads,
    consents,
    privacy_actions,
    suppressions,
)
from nurture.store.tables.sales import deal_moves, deals, team_turns

__all__ = [
    "SHARDS",
    "accounts",
    "api_keys",
    "attempts",
    "campaigns",
    "closures",
    "consent_ledger",
    "consent_ledger_heads",
    "consents",
    "deal_moves",
    "deals",
    "decisions",
    "deployment",
    "deploys",
    "enrollments",
    "event_keys",
    "events",
    "hits",
    "identities",
    "imports",
    "kept_keys",
    "lead_scores",
    "lead_stages",
    "lead_tags",
    "leads",
    "matches",
    "message_links",
    "messages",
    "metadata",
    "privacy_actions",
    "shards",
    "stage_moves",
    "suppressions",
    "sweeps",
    "tallies",
    "team_turns",
    "templates",
    "timers",
    "versions",
    "workers",
]

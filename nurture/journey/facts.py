"""What `decide` is told: the answers to a segment's conditions, the lead, the live project, what may be mailed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from nurture.campaign.project import Project

OK = "ok"
NO_CONSENT = "no consent"


class LeadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The lead as of now. `draw` is the stable text its splits are drawn from: it must survive an export and import,
    so an external id or the address's hash serves better than a row number."""

    draw: str
    zone: str | None = None  # None or unknown: the project's
    locale: str | None = None
    owner: str | None = None  # an address
    stages: Mapping[str, str] = {}  # funnel → stage
    attributes: Mapping[str, Any] = {}
    created_at: datetime | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a batch, all as of one instant and read in one transaction."""

    lead: LeadFacts
    project: Project  # the live one (S33)
    answers: Mapping[int, bool] = {}  # condition index → answer, at least for the segment at hand
    permission: Mapping[str, str] = {}  # topic → "ok" or why not: consent, then suppression, then jurisdiction
    service: str = OK  # the same for service mail: address and suppression only
    # Release of the `at_most`-th latest marketing mail that counts under the cap (S22), however old; None when the lead
    # has had fewer. One more may go once the cap's `per` has passed since.
    nth_release: datetime | None = None
    mail_underway: bool = False  # a mail of this enrollment is pending, claimed or sending (S18)
    paused: Literal["", "all", "marketing"] = ""  # all: stands still; marketing: only such mails are kept back
    late_marketing_done: bool = False  # this pass has released a late marketing mail to this lead (S21)
    test_mode: bool = False  # the staging guard keeps mails to this lead back
    winners: Mapping[str, str] = {}  # step id → the template that won its `pick`

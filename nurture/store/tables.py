"""Every table. Private to `store`: rows do not validate and do not leave it; functions beside this file take and
return dataclasses or tuples.

States name their movers. Instants are UTC (`UTCDateTime`). `shard` is 0–63 from the lead's id, stored so that work of
one shard is found by an index and owned by one worker at a time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from nurture.store.types import Id, Json, UTCDateTime

SHARDS = 64

metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def _key(**kwargs: Any) -> Any:
    return Field(default=None, primary_key=True, sa_type=Id, **kwargs)


def _ref(**kwargs: Any) -> Any:
    return Field(sa_type=Id, **kwargs)


def _instant(**kwargs: Any) -> Any:
    return Field(sa_type=UTCDateTime, **kwargs)


def _json(**kwargs: Any) -> Any:
    return Field(sa_type=Json, **kwargs)


def _text(**kwargs: Any) -> Any:
    return Field(sa_type=Text, **kwargs)


# --- who we talk to ---------------------------------------------------------------------------------------------


class LeadRow(SQLModel, table=True):
    """A person. `canonical` is the address as suppression compares it (trust C27), `address_hash` its keyed hash."""

    __tablename__ = "leads"
    __table_args__ = (
        Index("uq_leads_canonical", "canonical", unique=True),
        Index("ix_leads_account_id", "account_id"),
        Index("ix_leads_shard", "shard", "id"),
        Index("ix_leads_address_hash", "address_hash"),
        # Links in mails hold the id for ever: after an erasure nobody else may get it.
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    shard: int = 0
    external_id: str | None = _text(default=None)
    email: str | None = _text(default=None)
    canonical: str | None = _text(default=None)
    address_hash: str | None = _text(default=None)
    first_name: str | None = _text(default=None)
    last_name: str | None = _text(default=None)
    name: str | None = _text(default=None)
    phone: str | None = _text(default=None)
    country: str | None = _text(default=None)
    locale: str | None = _text(default=None)
    zone: str | None = _text(default=None)  # IANA name; None is the project's
    source: str | None = _text(default=None)
    owner: str | None = _text(default=None)
    account_id: int | None = _ref(default=None)
    attributes: dict[str, Any] = _json(default_factory=dict, nullable=False)
    created_at: datetime = _instant()
    changed_at: datetime = _instant()
    restricted: bool = False  # GDPR 18: kept, not used; set and lifted by the privacy commands
    unprofiled: bool = False  # objected to profiling (GDPR 21): no score; moved with the topic `profiling`
    paused_until: datetime | None = _instant(default=None)  # no marketing before; set by the preference centre


class IdentityRow(SQLModel, table=True):
    """How callers name a lead: their own id (`external`) or a browser's (`anonymous`). One lead may have many."""

    __tablename__ = "identities"
    __table_args__ = (Index("ix_identities_lead_id", "lead_id"),)
    kind: str = _text(primary_key=True)
    value: str = _text(primary_key=True)
    lead_id: int = _ref()


class AccountRow(SQLModel, table=True):
    __tablename__ = "accounts"
    id: int | None = _key()
    external_id: str = _text(unique=True)
    attributes: dict[str, Any] = _json(default_factory=dict, nullable=False)


class TagRow(SQLModel, table=True):
    __tablename__ = "lead_tags"
    lead_id: int = _ref(primary_key=True)
    tag: str = _text(primary_key=True)


class ScoreRow(SQLModel, table=True):
    """The decaying part of a score: `value` as of `at`; the part from conditions is computed when asked.

    `above` names the thresholds the lead stands above (S31); moved by the scoring of the reaction pass.
    """

    __tablename__ = "lead_scores"
    lead_id: int = _ref(primary_key=True)
    score: str = _text(primary_key=True)
    value: float = 0.0
    at: datetime = _instant()
    above: list[str] = _json(default_factory=list, nullable=False)


class StageRow(SQLModel, table=True):
    """Where the lead stands in each funnel; moved by `engine.stages` alone."""

    __tablename__ = "lead_stages"
    __table_args__ = (Index("ix_lead_stages_stage", "stage", "since"),)
    lead_id: int = _ref(primary_key=True)
    funnel: str = _text(primary_key=True)
    stage: str = _text()
    since: datetime = _instant()


class StageMoveRow(SQLModel, table=True):
    """History of stages; `cause` is rule, campaign, api, person or import."""

    __tablename__ = "stage_moves"
    __table_args__ = (
        Index("ix_stage_moves_funnel", "funnel", "to_stage", "at"),
        Index("ix_stage_moves_lead_id", "lead_id", "at"),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    funnel: str = _text()
    from_stage: str | None = _text(default=None)
    to_stage: str = _text()
    at: datetime = _instant()
    cause: str = _text()
    reason: str | None = _text(default=None)
    enrollment_id: int | None = _ref(default=None)


# --- what they did ----------------------------------------------------------------------------------------------


class EventRow(SQLModel, table=True):
    """Something a lead did, or the engine's own (a name with a dot).

    `seq` is the order of acceptance within the shard, given by the reaction pass; NULL until then, and conditions do
    not see such a row. `fact` marks what came too late, or by import, to open, settle or wake anything (S2).
    """

    __tablename__ = "events"
    __table_args__ = (
        # (lead, name, at): with (name, lead, at) a cohort query did not end in 85 s. With `seq` conditions need not
        # read the rows: half as many answers again a second.
        Index("ix_events_lead_name_at", "lead_id", "name", "at", "seq"),
        Index("ix_events_unseen", "id", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
        Index("ix_events_new", "shard", "id", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    shard: int
    name: str = _text()
    at: datetime = _instant()
    accepted_at: datetime = _instant()
    seq: int | None = _ref(default=None)
    fact: bool = False
    source: str = _text(default="api")
    properties: dict[str, Any] = _json(default_factory=dict, nullable=False)


class EventKeyRow(SQLModel, table=True):
    """What was already accepted: one row per (source, message id), with a hash of the body to tell a replay from a
    clash; kept for a retention, not for ever."""

    __tablename__ = "event_keys"
    __table_args__ = (Index("ix_event_keys_received_at", "received_at"),)
    source: str = _text(primary_key=True)
    message_id: str = _text(primary_key=True)
    body_hash: str = _text()
    received_at: datetime = _instant()


class ShardRow(SQLModel, table=True):
    """One row per shard: the last `seq` given out. Locked by the reaction pass of that shard."""

    __tablename__ = "shards"
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = _ref(default=0)


# --- whether we may ---------------------------------------------------------------------------------------------


class ConsentRow(SQLModel, table=True):
    """The present state per lead and topic, folded from the ledger by `engine.consent` alone:
    none → requested → granted → withdrawn; expired; objected."""

    __tablename__ = "consents"
    lead_id: int = _ref(primary_key=True)
    topic: str = _text(primary_key=True)
    state: str = _text()
    since: datetime = _instant()
    basis: str | None = _text(default=None)
    expires_at: datetime | None = _instant(default=None)
    requests: int = 0  # confirmation mails asked for since the last answer
    requested_at: datetime | None = _instant(default=None)
    # Of a soft opt-in, the sale it rests on, as `lead.soft_opt_in` judges it.
    sale_kind: str | None = _text(default=None)
    sale_reference: str | None = _text(default=None)
    sold_at: datetime | None = _instant(default=None)
    objection_offered: bool = False


class LedgerRow(SQLModel, table=True):
    """Append-only proof. Every column but `id` is bound by `hash`, which chains over `prev` per subject (trust C4)."""

    __tablename__ = "consent_ledger"
    __table_args__ = (UniqueConstraint("subject", "ordinal"), Index("ix_consent_ledger_lead_id", "lead_id"))
    id: int | None = _key()
    subject: str = _text()  # random pseudonym of the person; survives erasure without naming anyone
    ordinal: int  # 1, 2, 3… within the subject
    lead_id: int | None = _ref(default=None)
    event: str = _text()  # requested confirmed refused withdrawn renewed expired imported objection erased granted
    topic: str | None = _text(default=None)  # None: all of that channel
    channel: str = _text(default="email")
    basis: str | None = _text(default=None)
    jurisdiction: str | None = _text(default=None)
    wording: str | None = _text(default=None)
    wording_hash: str | None = _text(default=None)
    wording_version: str | None = _text(default=None)
    locale: str | None = _text(default=None)
    notice: str | None = _text(default=None)
    page: str | None = _text(default=None)
    method: str = _text()
    actor: str = _text()
    source: str | None = _text(default=None)
    ip: str | None = _text(default=None)
    user_agent: str | None = _text(default=None)
    evidence: dict[str, Any] | None = _json(default=None, nullable=True)
    controller: str | None = _text(default=None)
    occurred_at: datetime = _instant()
    recorded_at: datetime = _instant()
    prev: str = _text()
    hash: str = _text()


class LedgerHeadRow(SQLModel, table=True):
    """The guarded end of each subject's chain: how many entries, the last hash, and a MAC over both by the secret."""

    __tablename__ = "consent_ledger_heads"
    subject: str = _text(primary_key=True)
    lead_id: int | None = _ref(default=None, index=True)
    entries: int
    hash: str = _text()
    mac: str = _text()


class SuppressionRow(SQLModel, table=True):
    """Addresses that get nothing (`all`), no marketing (`marketing`) or nothing on a topic (`topic:NAME`), by keyed
    hash, so that it outlives erasure."""

    __tablename__ = "suppressions"
    address_hash: str = _text(primary_key=True)
    scope: str = _text(primary_key=True)
    reason: str = _text()
    at: datetime = _instant()


class PrivacyActionRow(SQLModel, table=True):
    """Who did what about a person's rights, when and why (trust C31). Names nobody: `lead_id` is a number that, after
    an erasure, leads nowhere; `detail` holds counts."""

    __tablename__ = "privacy_actions"
    id: int | None = _key()
    at: datetime = _instant()
    what: str = _text()  # export erase restrict unrestrict rectify pause unpause profiling retention replay, "asked …"
    actor: str = _text()
    lead_id: int | None = _ref(default=None)
    reason: str | None = _text(default=None)
    detail: dict[str, Any] = _json(default_factory=dict, nullable=False)


# --- campaigns --------------------------------------------------------------------------------------------------


class CampaignRow(SQLModel, table=True):
    """What is deployed under a name. `paused_at` is set and cleared by pause and resume, without a deploy."""

    __tablename__ = "campaigns"
    name: str = _text(primary_key=True)
    title: str = _text(default="")
    state: str = _text(default="live")
    priority: int = 50
    live_version: str = _text()
    deployed_at: datetime = _instant()
    paused_at: datetime | None = _instant(default=None)
    baseline_at: datetime | None = _instant(default=None)  # first deploy; match entries take their baseline then
    guarded_at: datetime | None = _instant(default=None)  # paused by engine.guard; judged by later mails from there on
    stopped: str | None = _text(default=None)  # why engine.guard or engine.limits paused it; cleared by a resume
    allowance: int = 0  # mails a person has agreed to beyond the blast limit; used up by the wire gate


class VersionRow(SQLModel, table=True):
    __tablename__ = "versions"
    campaign: str = _text(primary_key=True)
    version: str = _text(primary_key=True)
    plan: str = _text()  # canonical JSON
    deployed_at: datetime = _instant()


class TemplateRow(SQLModel, table=True):
    """All files of a template under their common hash. `live` is moved by deploy."""

    __tablename__ = "templates"
    name: str = _text(primary_key=True)
    hash: str = _text(primary_key=True)
    files: dict[str, str] = _json(nullable=False)
    live: bool = True
    deployed_at: datetime = _instant()


class DeploymentRow(SQLModel, table=True):
    """One row (id 1): the live project and a generation that every deploy, pause and resume moves on, so that workers
    know when to read again."""

    __tablename__ = "deployment"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    generation: int = 0
    project: str = _text()  # canonical JSON of campaign.project.Project
    deployed_at: datetime = _instant()
    paused_at: datetime | None = _instant(default=None)  # everything paused
    pause_spares_service: bool = False


class DeployRow(SQLModel, table=True):
    """What each deploy or rollback made live, as a whole, so that it can be made live again. Written by deploy where it
    changed anything; never changed."""

    __tablename__ = "deploys"
    id: int | None = _key()  # the number people name
    at: datetime = _instant()
    project: str = _text()  # canonical JSON
    campaigns: dict[str, Any] = _json(nullable=False)  # name → version, title, state, priority
    templates: dict[str, str] = _json(nullable=False)  # name → hash


class EnrollmentRow(SQLModel, table=True):
    """One lead in one version of one campaign. States and movers: journey.enrollment.

    `due` is when the present step should happen (S16), `wake` when it is looked at next (a deferral moves only it).
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        Index(
            "uq_enrollments_open",
            "campaign",
            "lead_id",
            "key",
            unique=True,
            sqlite_where=text("state IN ('waiting', 'parked')"),
            postgresql_where=text("state IN ('waiting', 'parked')"),
        ),
        Index("ix_enrollments_lead_id", "lead_id", "campaign"),
        Index(
            "ix_enrollments_wake",
            "shard",
            "wake",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_enrollments_version", "campaign", "version", "state", "step"),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    shard: int
    campaign: str = _text()
    version: str = _text()
    key: str = _text(default="")
    state: str = _text(default="waiting")
    reason: str | None = _text(default=None)  # of the end
    step: str | None = _text(default=None)  # id of the step it stands on
    visit: int = 0  # raised each time a step is left; part of a message's unique key
    due: datetime | None = _instant(default=None)
    reached: datetime | None = _instant(default=None)
    wake: datetime | None = _instant(default=None)
    held: str | None = _text(default=None)  # reason of the present deferral
    entered_at: datetime = _instant()
    entry_event: int | None = _ref(default=None)
    entry_at: datetime = _instant()  # `at` of the entry event: a goal before it credits nothing (S4)
    entry: dict[str, Any] = _json(default_factory=dict, nullable=False)
    data: dict[str, Any] = _json(default_factory=dict, nullable=False)
    arms: dict[str, str] = _json(default_factory=dict, nullable=False)
    loops: dict[str, int] = _json(default_factory=dict, nullable=False)
    done: list[str] = _json(default_factory=list, nullable=False)
    revision: int = 0  # every write names the one it read
    ended_at: datetime | None = _instant(default=None)
    value: float | None = None
    currency: str | None = _text(default=None)
    error: str | None = _text(default=None)  # of a parked one


class TimerRow(SQLModel, table=True):
    """An instant at which something of a lead is looked at: `settle`, `date`, `schedule`, `look` (a condition that time
    alone may turn), `recycle`. `due` NULL is a key closed for good (S7)."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("lead_id", "kind", "owner", "key"),
        Index(
            "ix_timers_due",
            "shard",
            "due",
            sqlite_where=text("due IS NOT NULL"),
            postgresql_where=text("due IS NOT NULL"),
        ),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    shard: int
    kind: str = _text()
    owner: str = _text()  # a campaign's name, or "enrollment:ID"
    key: str = _text(default="")
    due: datetime | None = _instant(default=None)
    event_id: int | None = _ref(default=None)  # of a settle: the event with the greatest `at`
    at: datetime | None = _instant(default=None)  # that event's `at`; of a date: the date's instant before catch-up


class MatchRow(SQLModel, table=True):
    """For whom a campaign's `match` was true when last looked at (S12)."""

    __tablename__ = "matches"
    campaign: str = _text(primary_key=True)
    lead_id: int = _ref(primary_key=True)
    since: datetime = _instant()


class SweepRow(SQLModel, table=True):
    """A walk over all leads that a deploy asked for (arming dates and schedules, the baseline of a match), page by
    page; moved on and deleted by the worker."""

    __tablename__ = "sweeps"
    id: int | None = _key()
    campaign: str = _text()
    shard: int
    after_lead: int = _ref(default=0)
    first: bool = False  # the campaign's first deploy
    asked_at: datetime = _instant()


class DecisionRow(SQLModel, table=True):
    """Why: everything that was decided about a lead, with what it saw."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_lead_id", "lead_id", "id"),
        Index("ix_decisions_enrollment_id", "enrollment_id"),
        # What was decided against, for `why` of a whole campaign. The many other decisions are not in it.
        Index(
            "ix_decisions_kept",
            "campaign",
            "what",
            "reason",
            "step",
            sqlite_where=text("what IN ('not_entered', 'refused', 'skipped')"),
            postgresql_where=text("what IN ('not_entered', 'refused', 'skipped')"),
        ),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    enrollment_id: int | None = _ref(default=None)
    campaign: str = _text()
    version: str | None = _text(default=None)
    step: str | None = _text(default=None)
    at: datetime = _instant()
    what: str = _text()  # entered not_entered released refused skipped deferred moved move_refused branch … ended
    reason: str | None = _text(default=None)
    inputs: dict[str, Any] | None = _json(default=None, nullable=True)


# --- what leaves ------------------------------------------------------------------------------------------------


class MessageRow(SQLModel, table=True):
    """The outbox. `pending` by release (engine) · `claimed` by dispatch · `sending` by the wire gate, with an attempt
    row · `sent`, `failed` by an outcome · back to `pending` by a retry or an ended lease · `unknown` by a drop after
    the last dot or an ended lease, left only by policy or a person · `cancelled` by goal, exit, withdrawal, erasure,
    new address."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("uq_messages_key", "enrollment_id", "step", "visit", unique=True),
        Index(
            "ix_messages_pending",
            "lane",
            "due",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_messages_due",
            "due",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_messages_leased",
            "lease_until",
            sqlite_where=text("state IN ('claimed', 'sending')"),
            postgresql_where=text("state IN ('claimed', 'sending')"),
        ),
        Index("ix_messages_lead_released", "lead_id", "released_at"),
        {"sqlite_autoincrement": True},  # links and envelope senders hold the id
    )
    id: int | None = _key()
    lead_id: int | None = _ref(default=None)
    shard: int
    enrollment_id: int | None = _ref(default=None)
    campaign: str | None = _text(default=None)
    version: str | None = _text(default=None)
    step: str | None = _text(default=None)
    visit: int = 0
    kind: str = _text(default="mail")  # mail · notice (to a colleague) · confirm · call (webhook) · test
    template: str | None = _text(default=None)
    template_hash: str | None = _text(default=None)
    service: bool = False
    topic: str | None = _text(default=None)
    recipient: str | None = _text(default=None)  # of a notice; a mail takes the lead's address when it is claimed
    options: dict[str, Any] = _json(
        default_factory=dict, nullable=False
    )  # subject, from, reply_to, utm, a call's body…
    lane: str = _text(default="other")
    state: str = _text(default="pending")
    reason: str | None = _text(default=None)
    due: datetime = _instant()  # not before
    released_at: datetime = _instant()
    expires_at: datetime | None = _instant(default=None)
    attempts: int = 0
    fence: int = _ref(default=0)  # raised by every claim; every later write names it
    lease_until: datetime | None = _instant(default=None)  # machine time
    worker: str | None = _text(default=None)  # who claimed it last
    mailed_to: str | None = _text(default=None)  # keyed hash of the address it was put on the wire for last
    mail_id: str | None = _text(default=None)  # Message-ID without brackets, equal on all attempts (E6)
    dated: datetime | None = _instant(default=None)  # Date header, fixed at the first render
    sha256: str | None = _text(default=None)
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    sent_at: datetime | None = _instant(default=None)
    opened_at: datetime | None = _instant(default=None)
    clicked_at: datetime | None = _instant(default=None)
    bounced_at: datetime | None = _instant(default=None)
    bounce: str | None = _text(default=None)  # what kind of bounce: hard, likely, quota, soft… (mail.outcome.Kind)
    complained_at: datetime | None = _instant(default=None)
    replied_at: datetime | None = _instant(default=None)
    answer: dict[str, Any] | None = _json(default=None, nullable=True)  # of a call


class LinkRow(SQLModel, table=True):
    """Where the counted links of one mail lead: a redirect goes to nothing else (trust X10)."""

    __tablename__ = "message_links"
    message_id: int = _ref(primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    url: str = _text()


class HitRow(SQLModel, table=True):
    """A click or an opening as it came in, machines' too (trust C21); written only while the lead agrees to it.
    `visitor` is a keyed hash of the network address."""

    __tablename__ = "hits"
    __table_args__ = (
        Index("ix_hits_message_id", "message_id", "at"),
        Index("ix_hits_lead_id", "lead_id"),
        Index("ix_hits_new", "id", sqlite_where=text("NOT counted"), postgresql_where=text("NOT counted")),
    )
    id: int | None = _key()
    lead_id: int = _ref()
    message_id: int = _ref()
    kind: str = _text()  # click · open
    position: int | None = None
    at: datetime = _instant()
    visitor: str | None = _text(default=None)
    suspected_bot: str | None = _text(default=None)  # why it is taken for a machine
    counted: bool = False  # judged, and where it was a person's, told to campaigns; by engine.tracking


class AttemptRow(SQLModel, table=True):
    """Committed before the wire (trust R3). Without an end, the attempt's outcome is not known."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_message_id", "message_id"),)
    id: int | None = _key()
    message_id: int = _ref()
    fence: int = _ref()
    worker: str = _text()
    started_at: datetime = _instant()
    ended_at: datetime | None = _instant(default=None)
    phase: str | None = _text(default=None)
    code: int | None = None
    enhanced: str | None = _text(default=None)
    text: str | None = _text(default=None)
    outcome: str | None = _text(default=None)


class ClosureRow(SQLModel, table=True):
    """A way that is closed, or that begins to complain: a mail `server` (by a digest of its settings), a `sender`
    (From address), a `destination` (lane) or a `domain`. Closed by `delivery.judging` until `until` (machine time);
    `strikes` are the instants of the replies that count towards that. Gone when a mail has passed, or by a person."""

    __tablename__ = "closures"
    scope: str = _text(primary_key=True)
    name: str = _text(primary_key=True)
    strikes: list[str] = _json(default_factory=list, nullable=False)
    since: datetime | None = _instant(default=None)
    until: datetime | None = _instant(default=None)
    rule: str | None = _text(default=None)
    reason: str | None = _text(default=None)


# --- sales ------------------------------------------------------------------------------------------------------


class DealRow(SQLModel, table=True):
    __tablename__ = "deals"
    __table_args__ = (Index("ix_deals_lead_id", "lead_id"), Index("ix_deals_pipeline", "pipeline", "stage"))
    id: int | None = _key()
    external_id: str | None = _text(default=None, unique=True)
    lead_id: int = _ref()
    pipeline: str = _text()
    stage: str | None = _text(default=None)
    amount: float | None = None
    currency: str | None = _text(default=None)
    owner: str | None = _text(default=None)
    opened_at: datetime | None = _instant(default=None)
    closed_at: datetime | None = _instant(default=None)
    outcome: str = _text(default="open")  # open → won | lost, by engine.deals
    reason: str | None = _text(default=None)


class DealMoveRow(SQLModel, table=True):
    __tablename__ = "deal_moves"
    __table_args__ = (Index("ix_deal_moves_deal_id", "deal_id", "at"),)
    id: int | None = _key()
    deal_id: int = _ref()
    from_stage: str | None = _text(default=None)
    to_stage: str = _text()
    at: datetime = _instant()


class TurnRow(SQLModel, table=True):
    """How many turns each team has taken, for `assign`."""

    __tablename__ = "team_turns"
    team: str = _text(primary_key=True)
    taken: int = 0


# --- machinery --------------------------------------------------------------------------------------------------


class KeyRow(SQLModel, table=True):
    """An API key: a prefix to find it by and the SHA-256 of the whole; the key itself is nowhere (trust X11)."""

    __tablename__ = "api_keys"
    id: int | None = _key()
    name: str = _text(default="")
    prefix: str = _text(index=True)
    hash: str = _text()
    scopes: list[str] = _json(default_factory=list, nullable=False)
    created_at: datetime = _instant()
    expires_at: datetime | None = _instant(default=None)
    revoked_at: datetime | None = _instant(default=None)
    used_at: datetime | None = _instant(default=None)


class KeptKeyRow(SQLModel, table=True):
    """Derived keys that verify what takes consent back, kept for ever: a link in an old mail outlives its secret
    (trust C16). They sign nothing else and do not give away the secrets."""

    __tablename__ = "kept_keys"
    key: str = _text(primary_key=True)


class ImportRow(SQLModel, table=True):
    """How far an import of one file with one mapping has come, so that it resumes."""

    __tablename__ = "imports"
    id: int | None = _key()
    kind: str = _text()
    fingerprint: str = _text(unique=True)  # of file and mapping
    file: str = _text()
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    started_at: datetime = _instant()
    ended_at: datetime | None = _instant(default=None)


class WorkerRow(SQLModel, table=True):
    """Heartbeats, for readiness and `doctor`."""

    __tablename__ = "workers"
    id: str = _text(primary_key=True)
    started_at: datetime = _instant()
    beat_at: datetime = _instant()
    detail: dict[str, Any] = _json(default_factory=dict, nullable=False)


class TallyRow(SQLModel, table=True):
    """How often something happened, counted together by all processes; `store.tallies` knows the scopes. Added to in
    the transaction that does what is counted."""

    __tablename__ = "tallies"
    scope: str = _text(primary_key=True)
    name: str = _text(primary_key=True)
    slot: datetime = _instant(primary_key=True)
    count: int = 0


# Core tables: what the functions of `store` speak in.
leads = LeadRow.__table__  # type: ignore[attr-defined]
identities = IdentityRow.__table__  # type: ignore[attr-defined]
accounts = AccountRow.__table__  # type: ignore[attr-defined]
lead_tags = TagRow.__table__  # type: ignore[attr-defined]
lead_scores = ScoreRow.__table__  # type: ignore[attr-defined]
lead_stages = StageRow.__table__  # type: ignore[attr-defined]
stage_moves = StageMoveRow.__table__  # type: ignore[attr-defined]
events = EventRow.__table__  # type: ignore[attr-defined]
event_keys = EventKeyRow.__table__  # type: ignore[attr-defined]
shards = ShardRow.__table__  # type: ignore[attr-defined]
consents = ConsentRow.__table__  # type: ignore[attr-defined]
consent_ledger = LedgerRow.__table__  # type: ignore[attr-defined]
consent_ledger_heads = LedgerHeadRow.__table__  # type: ignore[attr-defined]
suppressions = SuppressionRow.__table__  # type: ignore[attr-defined]
privacy_actions = PrivacyActionRow.__table__  # type: ignore[attr-defined]
campaigns = CampaignRow.__table__  # type: ignore[attr-defined]
versions = VersionRow.__table__  # type: ignore[attr-defined]
templates = TemplateRow.__table__  # type: ignore[attr-defined]
deployment = DeploymentRow.__table__  # type: ignore[attr-defined]
deploys = DeployRow.__table__  # type: ignore[attr-defined]
enrollments = EnrollmentRow.__table__  # type: ignore[attr-defined]
timers = TimerRow.__table__  # type: ignore[attr-defined]
matches = MatchRow.__table__  # type: ignore[attr-defined]
sweeps = SweepRow.__table__  # type: ignore[attr-defined]
decisions = DecisionRow.__table__  # type: ignore[attr-defined]
messages = MessageRow.__table__  # type: ignore[attr-defined]
message_links = LinkRow.__table__  # type: ignore[attr-defined]
hits = HitRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]
closures = ClosureRow.__table__  # type: ignore[attr-defined]
deals = DealRow.__table__  # type: ignore[attr-defined]
deal_moves = DealMoveRow.__table__  # type: ignore[attr-defined]
team_turns = TurnRow.__table__  # type: ignore[attr-defined]
api_keys = KeyRow.__table__  # type: ignore[attr-defined]
kept_keys = KeptKeyRow.__table__  # type: ignore[attr-defined]
imports = ImportRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]
tallies = TallyRow.__table__  # type: ignore[attr-defined]

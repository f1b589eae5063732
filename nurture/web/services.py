"""What the endpoint stands on. Filled by the program that starts it; nothing here is looked up elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nurture.campaign.project import Project
from nurture.clock import Clock, machine_now
from nurture.engine.consent import ConsentRules
from nurture.engine.exporting import Processing
from nurture.engine.ingest import Ingest
from nurture.engine.scanners import Scanners, known_scanners
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId
from nurture.mail.links import Links
from nurture.store.database import Database


@dataclass(frozen=True)
class Services:
    """`rules` gives what is live at the moment of asking. `move(lead, stage, reason, actor)` moves a lead and answers
    with the refusal in words, None where it moved. `erase(lead, actor)` erases one. `ingest` is started and stopped by
    whoever made it."""

    database: Database
    clock: Clock
    links: Links
    keyring: Keyring
    base_url: str
    ingest: Ingest
    rules: Callable[[], ConsentRules]
    move: Callable[[LeadId, str, str | None, str], str | None]
    erase: Callable[[LeadId, str], None]
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For is believed (trust C3)
    stuck_after: timedelta = timedelta(minutes=2)  # campaign time; an older event without reaction: not ready (R16)
    machine_now: Callable[[], datetime] = machine_now  # by which workers say that they live
    forms_per_hour: int = 60  # submissions of hosted forms from one network (trust X18)
    even: bool = True  # buttons are answered at even times (trust X7)
    forms_in_all: int = 2_000  # … and from everywhere
    scanners: Scanners = field(default_factory=known_scanners)  # whose visits are no person's
    processing: Processing = field(default_factory=Processing)  # told to who asks for their data
    version: str = field(default="0.1.0")

    @property
    def project(self) -> Project:
        return self.rules().project

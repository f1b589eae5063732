"""After a backup was put back: who said no since it was made has still said no (trust C25).

The journal beside the database and the suppressions in it are made equal before anything is sent: what the database
forgot is written into it again, people it brought back are erased again, and what the journal never heard of (it is
new, or another machine's) is added to it. Consent given since the backup is not brought back: that errs on the side of
silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from nurture.engine import privacy
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.errors import UserError
from nurture.lead.permission import lasts
from nurture.store import erasing, rights, suppressions
from nurture.store.database import Database
from nurture.store.suppression_journal import SuppressionJournal

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many suppressions the database had forgotten, how many people it had brought back."""

    suppressed: int
    erased: int


def replay(database: Database, journal: SuppressionJournal, live: Live | None, now: datetime) -> Replayed:
    """Make database and journal agree; safe to repeat. Nothing may be sent before it has returned."""
    known = journal.read()
    with database.write() as tx:
        held = suppressions.all_rows(tx)
        forgotten = [
            line
            for key, line in known.suppressed.items()
            if key not in held or (lasts(line.reason) and not lasts(held[key].reason))
        ]
        suppressions.restore(tx, forgotten)
        back = erasing.brought_back(tx, known.erased)
        for lead in back:
            if live is None:
                raise UserError("people who were erased are back in this database", hint="run 'nurture deploy' first")
            privacy.erase(Turn(tx, live), lead, "journal", now)
        if forgotten or back:
            detail = {"suppressions": len(forgotten), "erasures": len(back)}
            rights.note(tx, "replay", "journal", now, detail=detail)
    journal.append(line for key, line in held.items() if key not in known.suppressed)
    if forgotten or back:
        log.warning("suppressions.replayed", suppressions=len(forgotten), erasures=len(back))
    return Replayed(len(forgotten), len(back))

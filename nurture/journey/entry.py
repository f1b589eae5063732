"""Whether one may enter again (S10). The other questions of an entry are the store's to answer (S9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from nurture.campaign.plan import Again
from nurture.journey.timing import shift

ReentryRefusal = Literal["re-entry too soon", "re-entry limit"]


def refuse_again(
    again: Again | None, starts: Sequence[datetime], key_used: bool, keyed: bool, now: datetime, zone: str
) -> ReentryRefusal | None:
    """Why this lead may not enter now, None where it may.

    `starts` are its entries into the campaign over all keys and versions; `key_used` says whether one had this key.
    Without `again` each key enters once, and without keys the lead once ever. Exactly `after` is enough; `per` rolls.
    """
    if again is None:
        used = key_used if keyed else bool(starts)
        return "re-entry limit" if used else None
    if again.after is not None and starts and now < shift(max(starts), again.after, zone):
        return "re-entry too soon"
    if again.at_most is not None:
        per = again.per
        counted = starts if per is None else [start for start in starts if now < shift(start, per, zone)]
        if len(counted) >= again.at_most:
            return "re-entry limit"
    return None

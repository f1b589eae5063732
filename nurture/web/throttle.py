"""How often strangers may use what sends mail (trust X18): by network and in all, by the hour, over all processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nurture.store import tallies
from nurture.store.database import Transaction

USES = "form"  # the tally of submitted forms; with `:network`, of those from one network
REFUSED = "form refused"


@dataclass(frozen=True)
class Throttle:
    """Lets `each` uses an hour pass per network, `total` of all networks."""

    each: int
    total: int

    def allows(self, tx: Transaction, network: str, now: datetime) -> bool:
        """Whether one more use may pass; it is counted when the transaction commits."""
        limits = {USES: self.total, f"{USES}:{network}": self.each}
        hour = tallies.hour_of(now)
        used = tallies.held(tx, tallies.ASKED, [*limits, REFUSED], hour)
        if any(used[name] >= limit for name, limit in limits.items()):
            tallies.add(tx, tallies.ASKED, {REFUSED: 1}, hour)
            return False
        tallies.add(tx, tallies.ASKED, dict.fromkeys(limits, 1), hour)
        return True

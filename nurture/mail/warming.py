"""Warm-up: how many mails a sender that is new to a mailbox provider may send it in a day (trust E17). Pure."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import msgspec


class WarmUp(msgspec.Struct, frozen=True):
    """From the day `since` on each provider gets `first` mails on the first day, and `growth` times more each day; once
    that is more than `most`, the sender is warm. Days are UTC's: mailbox providers count in no zone of ours."""

    since: date
    first: int = 50
    growth: float = 1.4
    most: int = 50_000

    def allowed(self, at: datetime) -> int | None:
        """How many mails a provider gets on that day; None without limit, 0 before the first day."""
        day = (at.date() - self.since).days
        if day < 0:
            return 0
        if day * math.log(self.growth) > math.log(self.most / self.first):
            return None
        return int(self.first * self.growth**day)

    def next_day(self, at: datetime) -> datetime:
        """When the next day's mails may go."""
        return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

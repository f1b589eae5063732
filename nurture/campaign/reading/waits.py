"""The `wait` step: for a time, until the clock says so, or for a date."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.dates import DateSource, moved
from nurture.campaign.reading.kinds import Either, Got, Key, Record
from nurture.campaign.reading.scalars import Clock, Span
from nurture.campaign.reading.weekdays import Days


def _wait(got: Got, at: Context) -> plan.Wait | None:
    if "until" in got:
        if got["until"] is None or ("days" in got and got["days"] is None):
            return None
        for key in ("offset", "at"):
            if key in got:
                at.add(got.nodes[key], "N114", f"'{key}' belongs to 'date', not to 'until'")
        days = got.get("days", ())
        return plan.Wait(id=f"wait-until-{got['until']}", until=got["until"], days=days)
    if "days" in got:
        at.add(got.nodes["days"], "N114", "'days' belongs to 'until'", "such as {until: 09:00, days: mon-fri}")
    ref = moved(got)
    if ref is None:
        return None
    return plan.Wait(
        id=f"wait-{'.'.join((ref.source, *ref.path)) if ref.path else ref.text}{_signed(ref.offset)}", date=ref
    )


def _signed(offset: Duration) -> str:
    return "" if offset.zero else f"{'' if offset.sign < 0 else '+'}{offset}"


DATE_KEYS = {
    "date": Key(DateSource(), "A date: lead.FIELD, entry.PROPERTY or written out."),
    "offset": Key(Span(signed=True), "Moved by so much, such as -30d."),
    "at": Key(Clock(), "At this local time of that day."),
}
_WAIT = Either(
    "a duration such as 2d, {until: …} or {date: …}",
    Span(),
    None,
    Record(
        "'wait'",
        {
            "until": Key(Clock(), "The next time the clock says so."),
            "days": Key(Days(), "On one of these weekdays.", example="mon-fri"),
            **DATE_KEYS,
        },
        _wait,
        one_of=("until", "date"),
    ),
)


def wait(got: Got, at: Context) -> plan.Wait | None:
    value = got["wait"]
    if isinstance(value, Duration):
        return plan.Wait(id=f"wait-{value}", duration=value)
    return value if isinstance(value, plan.Wait) else None


WAIT_KEY = Key(
    _WAIT, "Stands still: 2d, {until: 09:00, days: mon-fri} or {date: lead.FIELD, offset: -1d}.", example="2d"
)

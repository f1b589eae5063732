"""`money`, `day`, `clock`: figures and times as the lead writes them.

The locale's name and the zone are the mail's (`_locale`, `_zone` in the rendering context). Babel takes 20 to 60 µs a
value and mails of a batch share prices and days, so results are remembered, a bounded number of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency
from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

MOST_REMEMBERED = 4096
_CURRENCY = re.compile(r"[A-Z]{3}")


class Unfit(ValueError):
    """A filter got a value it cannot write; the message names the filter, never the value."""


def babel_locale(locale: str) -> Locale:
    """Babel's locale for `fr-CH`, falling back to the language and then to English."""
    for name in (locale.replace("-", "_"), locale.partition("-")[0], "en"):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@pass_context
def money(context: Context, value: Any, currency: Any = None) -> str:
    """`{{ entry.total|money(entry.currency) }}` → `59,90 €`; without a currency the project's."""
    code = context.parent["_currency"] if currency is None or isinstance(currency, Undefined) else str(currency).upper()
    if not _CURRENCY.fullmatch(code):
        raise Unfit("'money' takes a currency of three letters, like EUR")
    if isinstance(value, (dict, list)):
        raise Unfit("'money' takes a number")
    key = ("money", value, type(value), code)  # True equals 1 and is no number
    return _remembered(context, key, lambda name: format_currency(_number(value), code, locale=name))


@pass_context
def day(context: Context, value: Any) -> str:
    """`{{ entry.starts_at|day }}` → `2 avril 2026`, in the lead's zone."""
    when = _moment(value, "day")
    if isinstance(when, datetime) and when.tzinfo is not None:
        when = when.astimezone(context.parent["_zone"])
    if isinstance(when, time):
        raise Unfit("'day' takes a date")
    plain = when.date() if isinstance(when, datetime) else when
    return _remembered(context, ("day", plain), lambda name: format_date(plain, format="long", locale=name))


@pass_context
def clock(context: Context, value: Any) -> str:
    """`{{ entry.starts_at|clock }}` → `18:30`, in the lead's zone."""
    when = _moment(value, "clock")
    if not isinstance(when, (datetime, time)):
        raise Unfit("'clock' takes an instant, and got a date without time")
    if isinstance(when, datetime) and when.tzinfo is not None:
        when = when.astimezone(context.parent["_zone"])
    plain = when.time() if isinstance(when, datetime) else when
    plain = plain.replace(second=0, microsecond=0, tzinfo=None)
    return _remembered(context, ("clock", plain), lambda name: format_time(plain, format="short", locale=name))


FORMAT_FILTERS: dict[str, Callable[..., Any]] = {"money": money, "day": day, "clock": clock}


def _remembered(context: Context, key: tuple[Any, ...], write: Callable[[Locale], str]) -> str:
    memory: dict[Any, str] = context.parent["_memory"]
    locale: str = context.parent["_locale"]
    full = (locale, *key)
    found = memory.get(full)
    if found is None:
        if len(memory) >= MOST_REMEMBERED:
            memory.clear()
        found = memory[full] = write(babel_locale(locale))
    return found


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise Unfit("'money' takes a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation as error:
        raise Unfit("'money' takes a number") from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 15:
        raise Unfit("'money' takes a number of at most 15 digits")
    return number


def _moment(value: Any, name: str) -> datetime | date | time:
    """Dates and instants, also as ISO 8601 text; without an offset it is the lead's local time."""
    if isinstance(value, (datetime, date, time)):
        return value
    if isinstance(value, str):
        text = value.strip()
        for read in (date.fromisoformat, datetime.fromisoformat, time.fromisoformat):
            try:
                return read(text)
            except ValueError:
                continue
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 253_402_300_800:
        return datetime.fromtimestamp(value, UTC)
    raise Unfit(f"'{name}' takes a date")

"""The filters templates have: Jinja's that call nothing of the template's, and the project's own. Each pays for what it
walks before it walks it, and what it makes is bounded (trust X1, X2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from itertools import islice
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.utils import _PassArg
from markupsafe import Markup

from nurture.mail.formats import FORMAT_FILTERS
from nurture.mail.guard import COUNTED, HELD, JOINED, PAID, WEIGHED
from nurture.mail.meter import FORMAT, ITEM, LARGEST_GROUP, LARGEST_TEXT, Meter, TooLarge, bounded, work_of

# Of one text.
_TEXT_NAMES = (
    "capitalize e escape forceescape lower safe string striptags title trim truncate upper urlencode wordcount"
)
_TEXT_FILTERS = frozenset(_TEXT_NAMES.split())
# Of the elements of a list, or the characters of a text.
_WALKING_NAMES = "dictsort groupby items list map max min reject rejectattr reverse select selectattr sort unique"
_WALKING_FILTERS = frozenset(_WALKING_NAMES.split())
_QUICK_FILTERS = frozenset({"abs", "count", "first", "float", "last", "length"})
_MOST_BITS = 64  # of a whole number that is computed
_GROUPS = (list, tuple, dict)
_PRINTABLE = (str, int, float, Decimal, date, time)
_SCRIPT = re.compile(r"(?i)(?!https?:|mailto:|tel:|sms:|cid:|data:image/(?:png|gif|jpe?g|webp)[;,])[a-z][a-z0-9+.-]*:")
# Words, numbers, declarations, and of functions those that fetch nothing: no url(), no brace, no comment, no escape.
_STYLE_VALUE = re.compile(r"(?:[\w#%.,:;!'\" +/)-]|(?<![\w-])(?:rgba?|hsla?|calc)\()*")
_IGNORED_IN_URLS = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]")


class Unprintable(UndefinedError):
    """A print of something that is no text."""


def filters(*, html: bool) -> dict[str, Any]:
    """All filters of an environment, by name. Where the result is not HTML, nothing is escaped."""
    of_text = {name: FILTERS[name] for name in _TEXT_FILTERS}
    if not html:
        of_text |= {"e": str, "escape": str, "forceescape": str, "safe": str}
    found: dict[str, Any] = {name: _of_text(filter_) for name, filter_ in of_text.items()}
    found |= {name: _walking(FILTERS[name]) for name in _WALKING_FILTERS}
    found |= {name: _quick(FILTERS[name]) for name in _QUICK_FILTERS}
    found |= {name: _formatting(filter_) for name, filter_ in FORMAT_FILTERS.items()}
    found |= {"default": _default, "d": _default, "join": _join, "replace": _replace}
    found |= {"round": _round, "int": _int, "sum": _sum, "web_address": _web_address, "style_value": _style_value}
    return found | {COUNTED: _counted, PAID: _paid, WEIGHED: _weighed, HELD: _weighed, JOINED: _joined}


def meter_of(context: Context) -> Meter:
    """The budget of the rendering this is part of."""
    found: Meter = context.parent["_meter"]
    return found


def paid_for(context: Context, made: Any) -> Any:
    """What was made, if it is not too large and the budget reaches."""
    if isinstance(made, str):
        if len(made) > LARGEST_TEXT:
            raise TooLarge("a text grew too large")
        context.parent["_meter"].spend(len(made))
    elif isinstance(made, _GROUPS):
        meter_of(context).spend(work_of(made))
    elif isinstance(made, int) and made.bit_length() > _MOST_BITS:
        raise TooLarge("a number grew too large")
    return made


def printable(value: Any) -> Any:
    """A value as it may be printed. Raises Unprintable for what would come out as no text a person wrote."""
    if isinstance(value, _PRINTABLE):
        return value
    if value is None:
        raise Unprintable("it is empty for this lead")
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    raise Unprintable("it is a group of values, not a text")


def web_address(value: Any) -> Any:
    """An address for a link or a picture; one that would run a script becomes `#` (trust X3)."""
    bare = _IGNORED_IN_URLS.sub("", str(printable(value)))
    return "#" if _SCRIPT.match(bare) else value


def style_value(value: Any) -> Any:
    """A colour, a length, declarations; nothing where it would fetch something, or end the rule it stands in (X3)."""
    return value if _STYLE_VALUE.fullmatch(str(printable(value))) else ""


# ── Jinja's filters, with their payments ────────────────────────────────────────────────────────────────────────────


def _called(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, to be given the context whatever it wants itself."""
    match _PassArg.from_obj(filter_):
        case _PassArg.context:
            return filter_
        case _PassArg.eval_context:
            return lambda context, *args, **options: filter_(context.eval_ctx, *args, **options)
        case _PassArg.environment:
            return lambda context, *args, **options: filter_(context.environment, *args, **options)
    return lambda _context, *args, **options: filter_(*args, **options)


def _of_text(filter_: Callable[..., Any]) -> Callable[..., Any]:
    takes_environment = _PassArg.from_obj(filter_) is _PassArg.environment

    @pass_context
    def of_text(context: Context, value: Any, *args: Any, **options: Any) -> Any:
        work = ITEM
        if isinstance(value, str):
            work += len(value)
        elif not (value is None or isinstance(value, (*_PRINTABLE, Undefined))):
            printable(value)  # as text, a list in a list stands as often as it is held: refused
        if args or options:
            work += work_of(args) + work_of(options)
        context.parent["_meter"].spend(work)
        if takes_environment:
            return paid_for(context, filter_(context.environment, value, *args, **options))
        return paid_for(context, filter_(value, *args, **options))

    return of_text


def _walking(filter_: Callable[..., Any]) -> Callable[..., Any]:
    call = _called(filter_)

    @pass_context
    def walking(context: Context, value: Any, *args: Any, **options: Any) -> Any:
        items = len(value) if isinstance(value, (str, *_GROUPS)) else 1
        each = ITEM + work_of(args) + work_of(options)
        meter_of(context).spend(ITEM + work_of(value) + items * each)
        return paid_for(context, _whole(call(context, value, *args, **options)))

    return walking


def _whole(made: Any) -> Any:
    """Jinja's lazy results as lists: what is still to be made has no size."""
    return list(islice(made, LARGEST_GROUP // ITEM + 1)) if isinstance(made, Iterator) else made


def _quick(filter_: Callable[..., Any]) -> Callable[..., Any]:
    call = _called(filter_)

    @pass_context
    def quick(context: Context, value: Any, *args: Any, **options: Any) -> Any:
        meter_of(context).spend(ITEM + (len(value) if isinstance(value, str) else 0))
        return call(context, value, *args, **options)

    return quick


def _formatting(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def formatting(context: Context, value: Any, *args: Any) -> Any:
        context.parent["_meter"].spend(FORMAT)
        return filter_(context, value, *args)

    return formatting


# ── our own ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _default(value: Any, instead: Any = "", boolean: bool = False) -> Any:
    """An empty field counts as missing: None is what the store has for one."""
    return instead if value is None or isinstance(value, Undefined) or (boolean and not value) else value


@pass_context
def _join(context: Context, value: Any, between: Any = "", attribute: Any = None) -> Any:
    items = _elements(context, value, attribute)
    between = printable(between)
    size = sum(len(item) if isinstance(item, str) else ITEM for item in map(printable, items))
    bounded(size + len(items) * len(str(between)))
    return paid_for(context, FILTERS["join"](context.eval_ctx, items, between))


@pass_context
def _replace(context: Context, value: Any, old: Any, new: Any, count: int | None = None) -> Any:
    text, sought, instead = (str(printable(part)) for part in (value, old, new))
    meter_of(context).spend(len(text) + len(sought) + len(instead))
    bounded(len(text) + text.count(sought) * len(instead))
    return paid_for(context, FILTERS["replace"](context.eval_ctx, value, old, new, count))


@pass_context
def _sum(context: Context, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """Of numbers: lists would be added one to the other, each time copied."""
    items = [start, *_elements(context, value, attribute)]
    if not all(isinstance(item, (int, float, Decimal)) for item in items):
        raise SecurityError("'sum' takes numbers")
    return paid_for(context, sum(items[1:], items[0]))


def _elements(context: Context, value: Any, attribute: Any) -> list[Any]:
    if attribute is not None:
        value = _MAP(context, value, attribute=attribute)
    elif isinstance(value, (str, *_GROUPS)):
        meter_of(context).spend(ITEM + work_of(value) + ITEM * len(value))
    return list(islice(value, LARGEST_GROUP // ITEM))


@pass_context
def _int(context: Context, value: Any, default: Any = 0, base: int = 10) -> Any:
    if isinstance(value, str) and len(value) > _MOST_BITS:
        return default  # so long a number takes seconds to read and to divide
    return paid_for(context, FILTERS["int"](value, default, base))


@pass_context
def _web_address(context: Context, value: Any) -> Any:
    if isinstance(value, str):
        context.parent["_meter"].spend(len(value))
    return web_address(value)


@pass_context
def _style_value(context: Context, value: Any) -> Any:
    if isinstance(value, str):
        context.parent["_meter"].spend(len(value))
    return style_value(value)


def _round(value: float, digits: int = 0, method: str = "common") -> Any:
    if not 0 <= digits <= 9:
        raise SecurityError("'round' takes 0 to 9 digits")
    return FILTERS["round"](value, digits, method)


# ── put in by mail.guard ────────────────────────────────────────────────────────────────────────────────────────────


@pass_context
def _counted(context: Context, value: Any, turn: int) -> Any:
    """What a loop goes through, its turns paid for; an empty field is an empty list."""
    if value is None:
        return ()
    if not isinstance(value, (str, *_GROUPS)):
        value = list(islice(value, LARGEST_GROUP // ITEM))
    meter_of(context).spend(turn * len(value))
    return value


@pass_context
def _paid(context: Context, work: int) -> None:
    context.parent["_meter"].spend(work)


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    context.parent["_meter"].spend(len(value) if isinstance(value, str) else work_of(value))
    return value


@pass_context
def _joined(context: Context, parts: list[Any]) -> Any:
    """`a ~ b`: what Jinja does, bounded, and an unset value is an error as in a print."""
    bounded(sum(len(part) if isinstance(part, str) else ITEM for part in map(printable, parts)))
    if any(isinstance(part, Markup) for part in parts):
        return paid_for(context, Markup("").join(parts))
    return paid_for(context, "".join(map(str, parts)))


_MAP = _walking(FILTERS["map"])

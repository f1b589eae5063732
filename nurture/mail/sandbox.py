"""The Jinja that templates are rendered with: what it lets them do, and what it stops.

A template sees plain values only: a dotted name is an entry of a mapping and never an attribute of a Python object,
so there is nothing to escape through (trust X1). Only filters whose result is bounded are there; concatenation,
repetition, loops and output are counted (trust X2). An unknown name is an error; a known field that this lead has not
filled is false in `{% if %}`, empty in a loop, and an error when printed, so that no mail begins with "Hi ,".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from itertools import islice
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Undefined, nodes, pass_context, pass_eval_context
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.filters import FILTERS
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from nurture.mail.formats import FORMAT_FILTERS
from nurture.mail.links import LeadLinks

LARGEST_OUTPUT = 1_000_000  # characters of one part of a mail; Gmail cuts at 102 KB
LARGEST_TEXT = 200_000  # characters of one value made in a template
MOST_TURNS = 50_000  # of all loops and calls in one rendering

# Bounded in what they return, and calling nothing of the template's.
_FILTERS_NAMES = (
    "abs capitalize count dictsort e escape first float forceescape groupby int items last length list "
    "lower map max min reject rejectattr reverse safe select selectattr sort string striptags sum title "
    "trim truncate unique upper urlencode wordcount"
)
_FILTERS = frozenset(_FILTERS_NAMES.split())
_TEXT_METHODS = frozenset(
    {"lower", "upper", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split"}
)
_DATE_PARTS = frozenset({"year", "month", "day", "weekday", "isoweekday", "hour", "minute", "date"})
_LOOP_PARTS_NAMES = "index index0 revindex revindex0 first last length cycle depth depth0 previtem nextitem changed"
_LOOP_PARTS = frozenset(_LOOP_PARTS_NAMES.split())
_LINK_PARTS = frozenset({"unsubscribe", "preferences", "confirm", "form", "my_data", "erase_me"})
_PRINTABLE = (str, int, float, Decimal, date, time)
_LARGEST_NUMBER = 10**15
_SCRIPT = re.compile(r"(?i)(?!https?:|mailto:|tel:|sms:|cid:|data:image/(?:png|gif|jpe?g|webp)[;,])[a-z][a-z0-9+.-]*:")
_IGNORED_IN_URLS = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]")


class TooLarge(SecurityError):
    """A template made more than a mail may be."""


class Unprintable(UndefinedError):
    """A print of something that is no text."""


class Unset(Undefined):
    """A known field without a value for this lead."""

    __slots__ = ()

    def __str__(self) -> str:
        raise self._fail_with_undefined_error()

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __contains__(self, item: object) -> bool:
        return False

    __hash__ = Undefined.__hash__


class MailEnvironment(ImmutableSandboxedEnvironment):
    """Jinja for mails; with `html` it escapes, for texts it does not."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "/", "//", "-"})

    def __init__(self, *, html: bool, loader: BaseLoader | None = None) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            loader=loader,
            finalize=printable,
            cache_size=50,
            auto_reload=False,
        )
        self.filters = {name: FILTERS[name] for name in _FILTERS} | FORMAT_FILTERS | _OWN_FILTERS
        if not html:
            self.filters |= {"e": str, "escape": str, "forceescape": str, "safe": str}
        self.globals = {"namespace": Namespace}
        self.concat = _concat  # type: ignore[method-assign]

    def make_globals(self, d: Any) -> Any:
        """One plain mapping: a ChainMap would be copied at every render (13–29 % of it)."""
        return self.globals

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else Unset(obj=obj, name=attribute)
        if obj is None or isinstance(obj, Unset):
            return Unset(obj=obj, name=attribute)
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if _may_read(obj, attribute):
            return getattr(obj, attribute)
        return self.unsafe_undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (list, tuple, str)) and isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except (IndexError, ValueError):
                return Unset(obj=obj, name=str(argument))
        return self.getattr(obj, str(argument))

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, (Macro, BlockReference, LoopContext)) or obj is Namespace:
            return True
        owner = getattr(obj, "__self__", None)
        return owner is not None and _may_read(owner, getattr(obj, "__name__", "_"))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _count(__context, 1)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, (str, list)) and isinstance(right, (str, list)):
            _bounded(len(left) + len(right))
        elif operator == "**" or not (
            isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal))
        ):
            raise SecurityError(f"'{operator}' is not available for these values")
        elif operator == "*" and max(abs(float(left)), abs(float(right))) > _LARGEST_NUMBER:
            raise TooLarge("a number grew too large")
        return self.binop_table[operator](left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _guard(super()._parse(source, name, filename))


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


def _may_read(obj: Any, attribute: str) -> bool:
    match obj:
        case str():
            return attribute in _TEXT_METHODS
        case LeadLinks():
            return attribute in _LINK_PARTS
        case LoopContext():
            return attribute in _LOOP_PARTS
        case date() | time():
            return attribute in _DATE_PARTS
        case Namespace() | TemplateModule() | TemplateReference():
            return not attribute.startswith("_")
    return False


def _guard(tree: nodes.Template) -> nodes.Template:
    """Loops count their turns and `~` its length, which cannot be intercepted while rendering."""
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
    for concat in list(tree.find_all(nodes.Concat)):
        parts = nodes.List(list(concat.nodes), lineno=concat.lineno)
        concat.nodes = [nodes.Filter(parts, "joined", [], [], None, None, lineno=concat.lineno)]
    for imported in tree.find_all(nodes.Stmt):
        if isinstance(imported, (nodes.Import, nodes.FromImport)):
            imported.with_context = True  # else loops inside macros are not counted
    return tree


def _count(context: Context, turns: int) -> None:
    used: list[int] | None = context.parent.get("_turns")
    if used is None:
        return
    used[0] += turns
    if used[0] > MOST_TURNS:
        raise TooLarge("the template loops too often")


@pass_context
def _counted(context: Context, value: Any) -> Any:
    if isinstance(value, (list, dict, tuple, str)):
        _count(context, len(value))
        return value
    if value is None:
        return ()
    turns = list(islice(value, MOST_TURNS + 1))
    _count(context, len(turns))
    return turns


def _joined(parts: list[Any]) -> Any:
    """`a ~ b`: what Jinja does, bounded, and an unset value is an error as in a print."""
    _bounded(sum(len(part) if isinstance(part, str) else 20 for part in map(printable, parts)))
    if any(isinstance(part, Markup) for part in parts):
        return Markup("").join(parts)
    return "".join(map(str, parts))


def _default(value: Any, instead: Any = "", boolean: bool = False) -> Any:
    """An empty field counts as missing: None is what the store has for one."""
    return instead if value is None or isinstance(value, Undefined) or (boolean and not value) else value


@pass_eval_context
def _join(eval_ctx: nodes.EvalContext, value: Any, between: str = "", attribute: str | None = None) -> Any:
    items = list(islice(value, MOST_TURNS))
    _bounded(sum(len(item) if isinstance(item, str) else 20 for item in items) + len(items) * len(between))
    return FILTERS["join"](eval_ctx, items, between, attribute)


@pass_eval_context
def _replace(eval_ctx: nodes.EvalContext, value: str, old: str, new: str, count: int | None = None) -> Any:
    _bounded(len(str(value)) + str(value).count(str(old)) * len(str(new)))
    return FILTERS["replace"](eval_ctx, value, old, new, count)


def _round(value: float, digits: int = 0, method: str = "common") -> Any:
    if not 0 <= digits <= 9:
        raise SecurityError("'round' takes 0 to 9 digits")
    return FILTERS["round"](value, digits, method)


def _bounded(size: int) -> None:
    if size > LARGEST_TEXT:
        raise TooLarge("a text grew too large")


def _concat(chunks: Iterable[str]) -> str:
    """What Jinja's `concat` does, given up as soon as it is too much."""
    chunks = iter(chunks)
    parts, size = [], 0
    while batch := list(islice(chunks, 64)):
        part = "".join(batch)
        size += len(part)
        if size > LARGEST_OUTPUT:
            raise TooLarge("the mail grew too large")
        parts.append(part)
    return "".join(parts)


_OWN_FILTERS: dict[str, Any] = {
    "default": _default,
    "d": _default,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "web_address": web_address,
    "counted": _counted,
    "joined": _joined,
}

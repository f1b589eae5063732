"""The Jinja that templates are rendered with: what it lets them do, and what it stops.

A template sees plain values only: a dotted name is an entry of a mapping and never an attribute of a Python object,
so there is nothing to escape through (trust X1). What it does is paid for out of a `Meter` (trust X2). An unknown name
is an error; a known field that this lead has not filled is false in `{% if %}`, empty in a loop, and an error when
printed, so that no mail begins with "Hi ,".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from itertools import islice
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from nurture.mail.filters import filters, meter_of, paid_for, printable
from nurture.mail.guard import guard, refuse
from nurture.mail.links import LeadLinks
from nurture.mail.markup import split
from nurture.mail.meter import FORMAT, LARGEST_JINJA, LARGEST_OUTPUT, MOST_NODES, TURN, TooLarge, bounded, work_of

_TEXT_METHODS = frozenset(
    {"lower", "upper", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split"}
)
_DATE_PARTS = frozenset({"year", "month", "day", "weekday", "isoweekday", "hour", "minute", "date"})
_LOOP_PARTS_NAMES = "index index0 revindex revindex0 first last length cycle depth depth0 previtem nextitem changed"
_LOOP_PARTS = frozenset(_LOOP_PARTS_NAMES.split())
_LINK_PARTS = frozenset({"unsubscribe", "preferences", "confirm", "form", "my_data", "erase_me"})
_MOST_BITS = 64  # of a whole number that is counted with
_LONGEST_ARGUMENT = 1_000  # characters; `strip` looks for each of them at each end


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


@pass_context
def _printed(context: Context, value: Any) -> Any:
    if isinstance(value, str):
        context.parent["_meter"].spend(len(value))
        return value
    return printable(value)


class MailEnvironment(ImmutableSandboxedEnvironment):
    """Jinja for mails; with `html` it escapes, for texts it does not. What it renders with holds `_meter`, a Meter."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "/", "//", "-"})

    def __init__(self, *, html: bool, loader: BaseLoader | None = None) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            loader=loader,
            finalize=_printed,
            cache_size=50,
            auto_reload=False,
        )
        self.filters = filters(html=html)
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
        work = TURN + work_of(args) + work_of(kwargs)
        match getattr(__obj, "__self__", None):
            case str() as text:
                if work > _LONGEST_ARGUMENT:
                    raise TooLarge("a text grew too large")
                work += len(text)
            case LeadLinks():
                work += FORMAT
        meter_of(__context).spend(work)
        return paid_for(__context, super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, (str, list)) and isinstance(right, (str, list)):
            if isinstance(left, str) and isinstance(right, str):
                bounded(len(left) + len(right))
        elif operator == "**" or not (
            isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal))
        ):
            raise SecurityError(f"'{operator}' is not available for these values")
        elif any(isinstance(value, int) and value.bit_length() > _MOST_BITS for value in (left, right)):
            raise TooLarge("a number grew too large")
        return paid_for(context, self.binop_table[operator](left, right))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if source.count("{%") + source.count("{{") > MOST_NODES:
            raise TemplateSyntaxError(f"it has more than {MOST_NODES:,} pieces of Jinja", 1, name, filename)
        if sum(len(piece.text) for piece in split(source) if piece.kind != "text") > LARGEST_JINJA:
            raise TemplateSyntaxError(f"it has more than {LARGEST_JINJA:,} characters of Jinja", 1, name, filename)
        try:
            return refuse(super()._parse(source, name, filename))
        except (RecursionError, MemoryError, ValueError) as error:
            raise _unreadable(name, filename) from error

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        try:
            return super()._generate(guard(source), name, filename, defer_init)
        except (RecursionError, MemoryError, ValueError) as error:
            raise _unreadable(name, filename) from error

    def _compile(self, source: str, filename: str) -> Any:
        try:
            return super()._compile(source, filename)
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            raise _unreadable(None, filename) from error


def _unreadable(name: str | None, filename: str | None) -> TemplateSyntaxError:
    """What Python itself gives up on: hundreds of brackets in brackets, 20 loops in loops, a number of 4,300 digits."""
    return TemplateSyntaxError("it is nested too deep, or a number in it is too long", 1, name, filename)


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

"""One mail for one lead: subject, preheader, HTML and text, out of a template made ready once per version."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

import msgspec
from jinja2 import FunctionLoader, TemplateError, TemplateSyntaxError, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import SecurityError, UndefinedError

from nurture.errors import UserError
from nurture.mail.filters import Unprintable
from nurture.mail.formats import Unfit
from nurture.mail.layout import flatten
from nurture.mail.links import TokenTooLong
from nurture.mail.meter import Meter
from nurture.mail.plaintext import text_source, tidy
from nurture.mail.prepare import guarded, prepare, read_without_comments
from nurture.mail.sandbox import MailEnvironment
from nurture.mail.template import FRONT_MATTER_KEYS, Template, TemplateBroken, Variant, choose, front_matter

_QUOTED = re.compile(r"'([^']{1,80})'")


class Rendered(msgspec.Struct, frozen=True):
    """A mail for one lead. `locale` is the variant's, empty where none is written; `from_` is empty for the sender."""

    subject: str
    preheader: str
    html: str
    text: str
    from_: str
    locale: str


class RenderFailed(UserError):
    """The mail cannot be made for this lead; nothing was sent. Says where and which name, never a value of the lead."""

    def __init__(self, template: str, reason: str, *, file: str = "", line: int = 0, variable: str = "") -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        name = f"'{variable}': " if variable else ""
        super().__init__(f"template '{template}': {place}{name}{reason}")
        self.template = template
        self.reason = reason
        self.file = file
        self.line = line
        self.variable = variable


class _Ready(msgspec.Struct, frozen=True):
    """A variant compiled; what holds no Jinja is a plain text."""

    variant: Variant
    subject: JinjaTemplate | str
    preheader: JinjaTemplate | str
    from_: JinjaTemplate | str
    html: JinjaTemplate | str
    text: JinjaTemplate | str
    derived: bool


class CompiledTemplate:
    """A template version with its compiled variants; keep one per hash. Rendering it changes nothing one could see.

    Variants compile when a lead first needs them, about 10 ms each.
    """

    def __init__(self, template: Template, *, project_locale: str, currency: str = "EUR") -> None:
        self.template = template
        self._project_locale = project_locale
        self._currency = currency
        self._variants = template.variants()
        self._ready: dict[str, _Ready] = {}
        self._memory: dict[Any, str] = {}
        self._html = MailEnvironment(html=True, loader=FunctionLoader(self._source))
        self._plain = MailEnvironment(html=False, loader=FunctionLoader(self._source))

    def render(
        self, locale: str, context: Mapping[str, Any], *, zone: tzinfo = UTC, subject: str | None = None
    ) -> Rendered:
        """The mail for a lead of this locale and zone; `subject` is a send step's own, also a template.

        `context` holds `lead`, `account`, `entry`, `enrollment`, `campaign`, `sender`, `now`, plain mappings of texts,
        numbers and dates with every declared field (None where empty), and `links`, a LeadLinks. Raises RenderFailed.
        """
        ready = self._for(locale)
        try:
            values = self._values(ready.variant, locale, context, zone)
            source = ready.subject if subject is None else self._short(subject)
            values["subject"] = _written(source, values).strip()
            values["preheader"] = _written(ready.preheader, values).strip()
            from_ = _written(ready.from_, values).strip()
            html = _written(ready.html, values).lstrip()  # the front matter leaves its line ends
            text = tidy(_written(ready.text, values), derived=ready.derived)
        except Exception as error:
            raise self._failure(error, ready.variant, locale, context, zone, subject) from error
        return Rendered(values["subject"], values["preheader"], html, text, from_, ready.variant.locale)

    def _values(self, variant: Variant, locale: str, context: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
        language = variant.locale.partition("-")[0]
        # Dates in the lead's own locale, but never in another language than the words around them.
        shown = locale if locale.partition("-")[0].lower() == language or not language else variant.locale
        return {
            **self._html.globals,
            **context,
            "locale": variant.locale or self._project_locale,
            "_locale": shown or self._project_locale,
            "_zone": zone,
            "_currency": self._currency,
            "_memory": self._memory,
            "_meter": Meter(),
        }

    def _for(self, locale: str) -> _Ready:
        ready = self._ready.get(locale)
        if ready is None:
            variant = choose(locale, self._variants, self._project_locale)
            if variant is None:
                raise RenderFailed(self.template.name, f"there is no text for locale '{locale[:20]}'")
            ready = self._ready.get(variant.locale) or self._made_ready(variant)
            if len(self._ready) < 200:  # leads may name any locale
                self._ready[locale] = self._ready[variant.locale] = ready
        return ready

    def _made_ready(self, variant: Variant) -> _Ready:
        try:
            parts = read_parts(self.template, variant)
            source = {key: self._short(value) for key, value in parts.front.items()}
            return _Ready(
                variant,
                source.get("subject", ""),
                source.get("preheader", ""),
                source.get("from", ""),
                self._html.from_string(parts.html) if parts.html else "",
                self._plain.from_string(parts.text),
                parts.derived,
            )
        except TemplateBroken as error:
            raise RenderFailed(self.template.name, error.reason, file=error.file, line=error.line) from error
        except TemplateSyntaxError as error:
            raise RenderFailed(self.template.name, str(error.message), file=variant.html or variant.text) from error

    def _short(self, source: str) -> JinjaTemplate | str:
        return self._plain.from_string(source) if "{" in source else source

    def _source(self, path: str) -> tuple[str, str, None] | None:
        if path not in self.template.files:
            return None
        return front_matter(self.template.files[path], path)[1], path, None

    def _failure(
        self,
        error: Exception,
        variant: Variant,
        locale: str,
        context: Mapping[str, Any],
        zone: tzinfo,
        subject: str | None,
    ) -> RenderFailed:
        """Say what went wrong in the author's files: they are rendered again as written, where lines are theirs."""
        reason, name = _reason(error)
        values = self._values(variant, locale, context, zone)
        block = front_matter(self.template.files[variant.html or variant.text], "")[0].values
        for key in FRONT_MATTER_KEYS:
            source = subject if key == "subject" and subject is not None else block.get(key, "")
            try:
                values[key] = self._plain.from_string(source).render(values)
            except Exception as again:
                reason, name = _reason(again)
                path = variant.html or variant.text
                line = _line_of_key(self.template.files[path], key)
                return RenderFailed(self.template.name, reason, file=path, line=line, variable=_dotted(source, name, 0))
        for path in filter(None, (variant.html, variant.text)):
            if path.endswith(".mjml") or path.endswith(".html"):
                environment = self._html
            else:
                environment = self._plain
            try:
                environment.get_template(path).render(values)
            except Exception as again:
                reason, name = _reason(again)
                file, line = self._place(again, path)
                dotted = _dotted(front_matter(self.template.files[file], file)[1], name, line)
                return RenderFailed(self.template.name, reason, file=file, line=line, variable=dotted)
        return RenderFailed(self.template.name, reason, file=variant.html or variant.text, variable=name)

    def _place(self, error: Exception, path: str) -> tuple[str, int]:
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename in self.template.files:
                return frame.filename, frame.lineno or 0
        return path, 0


def _written(template: JinjaTemplate | str, values: dict[str, Any]) -> str:
    """What `template.render` does without copying the values; they hold the globals already."""
    if isinstance(template, str):
        return template
    return template.environment.concat(template.root_render_func(template.new_context(values, shared=True)))


class Parts(msgspec.Struct, frozen=True):
    """A variant's Jinja sources, ready to be compiled. `derived` says the text was made from the HTML."""

    front: dict[str, str]
    html: str
    text: str
    derived: bool
    inlined: bool


def read_parts(template: Template, variant: Variant) -> Parts:
    """The sources of one variant. Raises TemplateBroken."""
    files = template.files
    front = dict(front_matter(files[variant.text], variant.text)[0].values) if variant.text else {}
    html, inlined, text = "", True, ""
    if variant.html:
        front |= front_matter(files[variant.html], variant.html)[0].values
        flat = flatten(variant.html, files)
        mjml = variant.html.endswith(".mjml")
        prepared = prepare(flat, mjml=mjml, preheader=bool(front.get("preheader")), file=variant.html)
        html, inlined = prepared.html, prepared.inlined
        text = text_source(html if mjml else guarded(read_without_comments(flat)))
    if variant.text:
        text = flatten(variant.text, files)
    return Parts(front, html, text, derived=not variant.text, inlined=inlined)


def _reason(error: Exception) -> tuple[str, str]:
    """(why, the name it is about); library messages may quote a lead's values, so only known ones are passed on."""
    match error:
        case Unprintable():
            return str(error.message), ""
        case UndefinedError():
            name = _QUOTED.findall(str(error.message))
            attribute = "has no attribute" in str(error.message) or "no element" in str(error.message)
            return ("it is empty for this lead" if attribute else "it is not known here"), name[-1] if name else ""
        case Unfit() | TokenTooLong() | SecurityError():
            return str(error), ""
        case TemplateSyntaxError() | TemplateError():
            return str(error.message), ""
        case RecursionError():
            return "it calls itself without end", ""
        case TypeError() | ValueError() | ArithmeticError() | LookupError() | AttributeError():
            return "a value is of a kind that does not fit here", ""
        case UserError():
            return error.message, ""
    return f"it failed ({type(error).__name__})", ""


def _line_of_key(source: str, key: str) -> int:
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith(f"{key}:"):
            return number
    return 1


def _dotted(source: str, name: str, line: int) -> str:
    """`lead.first_name` for the `first_name` Jinja names; without a name, what the line prints first."""
    try:
        tree = MailEnvironment(html=False).parse(source)
    except TemplateSyntaxError:
        return name
    for node in tree.find_all(nodes.Getattr):
        if (not line or node.lineno == line) and name == node.attr:
            return dotted_name(node) or name
    if name:
        return name
    printed = [n for o in tree.find_all(nodes.Output) for n in o.nodes if not line or n.lineno == line]
    names = [found for node in printed if (found := dotted_name(node))]
    return names[0] if len(set(names)) == 1 else ""


def dotted_name(node: nodes.Node) -> str:
    """`lead.first_name` as written, empty for anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        inner = dotted_name(node.node)
        return f"{inner}.{node.attr}" if inner else ""
    return ""

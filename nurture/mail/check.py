"""What is wrong with a template, found before anything is sent (campaigns.md §9).

N401 syntax · N402 unknown name · N403 unknown filter or test · N404 no unsubscribe link · N405 no postal address
N406 attribute without quotes · N407 `|safe` on a lead's data · N408 script · N409 empty text part · N410 over 102 KB
N411 picture without alt · N412 no subject · N413 front matter · N414 remote picture · N415 embedded picture
N416 missing file or locale · N417 confirmation mail · N418 styles or MJML · N419 a group where a text belongs
N420 Jinja inside `<style>` · N421 unknown link, form or topic
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import msgspec

from nurture.campaign.problems import Mark, Problem, did_you_mean
from nurture.mail.known import Known
from nurture.mail.layout import flatten
from nurture.mail.markup import Markup, Spot, Tag, read
from nurture.mail.plaintext import text_source
from nurture.mail.prepare import URL_ATTRIBUTES
from nurture.mail.render import Parts, read_parts
from nurture.mail.template import (
    FRONT_MATTER_KEYS,
    Template,
    TemplateBroken,
    Variant,
    choose,
    front_matter,
    template,
)
from nurture.mail.walk import Walker

CLIPPED_AT = 102 * 1024  # octets of HTML after which Gmail cuts a mail
CONFIRMATION = "consent/confirm"

_MJ_TAGS = re.compile(
    r"mjml|mj-(?:head|body|attributes|all|class|breakpoint|font|html-attributes|selector|html-attribute|preview|style|title"
    r"|accordion(?:-element|-title|-text)?|button|carousel(?:-image)?|column|divider|group|hero|image|include|navbar(?:-link)?"
    r"|raw|section|social(?:-element)?|spacer|table|text|wrapper)"
)
_SCHEME = re.compile(r"\s*(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|vbscript|data(?!:image/)|file)\s*:", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_STYLE_URL = re.compile(r"url\(\s*['\"]?\s*(?:https?:)?//", re.IGNORECASE)
_PICTURES = {
    "img": "src",
    "body": "background",
    "table": "background",
    "td": "background",
    "v:fill": "src",
    "mj-image": "src",
}


def check_template(
    name: str,
    files: Mapping[str, str],
    known: Known,
    *,
    marketing: bool,
    locales: Collection[str] = (),
    project_locale: str = "en",
    subject_given: bool = False,
    tracking: bool = False,
    folder: str = "templates/",
) -> list[Problem]:
    """All problems of a mail in all its locales, sorted. Marks of a shared layout repeat over mails: put them in a set.

    `files` are the project's, by path below `folder`. `locales` are those leads may have; each must find a text.
    `subject_given`: the send step has one. `tracking`: remote pictures are allowed, the lead consents to them (E13).
    """
    try:
        mail = template(name, files)
        found = mail.variants()
    except TemplateBroken as error:
        return [_problem(folder + error.file if error.file in files else error.file, "N416", error.reason, error.line)]
    checker = _Checker(mail, known, marketing, subject_given, tracking, folder)
    for variant in found.values():
        checker.variant(variant)
    for locale in dict.fromkeys((project_locale, *locales)):
        if choose(locale, found, project_locale) is None:
            path = folder + next(v.html or v.text for v in found.values())
            hint = f"write {name}.{project_locale}.html or {name}.html"
            checker.problems.append(
                _problem(path, "N416", f"template '{name}' has no text for locale '{locale}'", hint=hint)
            )
    return sorted(set(checker.problems), key=lambda p: (p.mark, p.code))


def check_subject(source: str, known: Known, mark: Mark) -> list[Problem]:
    """Problems of a send step's own `subject`, marked at the step."""
    walker = Walker({}, known.names(), known.topics, known.forms, "")
    walker.walk_source(source, mark.file)
    return [msgspec.structs.replace(p, mark=mark, snippet="") for p in walker.problems]


class _Checker:
    def __init__(
        self, mail: Template, known: Known, marketing: bool, subject_given: bool, tracking: bool, folder: str
    ) -> None:
        self.problems: list[Problem] = []
        self._mail = mail
        self._known = known
        self._marketing = marketing
        self._subject_given = subject_given
        self._tracking = tracking
        self._folder = folder
        self._confirmation = mail.name == CONFIRMATION

    def variant(self, variant: Variant) -> None:
        before = len(self.problems)
        self._front_matter(variant)
        for path in filter(None, (variant.html, variant.text)):
            self._names(path)
        for path in self._html_files(variant):
            self._markup(path, read(self._body(path)))
        if any(p.severity == "error" and p.code in {"N401", "N413", "N416"} for p in self.problems[before:]):
            return  # what cannot be read cannot be judged as a whole
        try:
            parts = read_parts(self._mail, variant)
        except TemplateBroken as error:
            self._add(error.file, "N418" if "MJML" in error.reason else "N401", error.reason, line=error.line)
            return
        self._whole(variant, parts)

    def _html_files(self, variant: Variant) -> list[str]:
        """The HTML file and what it is made of."""
        if not variant.html:
            return []
        parts = [p for p in self._mail.files if p.endswith((".html", ".mjml")) and not self._is_own(p)]
        return [variant.html, *(p for p in parts if self._reaches(variant.html, p))]

    def _is_own(self, path: str) -> bool:
        return any(path in (v.html, v.text) for v in self._mail.variants().values())

    def _reaches(self, start: str, wanted: str) -> bool:
        from nurture.mail.template import references

        seen, todo = set(), [start]
        while todo:
            path = todo.pop()
            if path == wanted:
                return True
            if path not in seen and path in self._mail.files:
                seen.add(path)
                todo += [other for other, _ in references(self._mail.files[path])]
        return False

    # ── front matter and names ──────────────────────────────────────────────────────────────────────────────────────

    def _front_matter(self, variant: Variant) -> None:
        values: dict[str, str] = {}
        for path in filter(None, (variant.text, variant.html)):
            try:
                own = front_matter(self._mail.files[path], path)[0].values
            except TemplateBroken as error:
                self._add(error.file, "N413", error.reason, line=error.line)
                return
            for key in own:
                if key not in FRONT_MATTER_KEYS:
                    hint = did_you_mean(key, FRONT_MATTER_KEYS) or "it takes subject, preheader, from"
                    self._add(path, "N413", f"'{key}' is not known between the '---' lines", find=key, hint=hint)
                elif own[key]:
                    self._value(path, key, own[key])
            values |= own
        if not values.get("subject") and not self._subject_given:
            hint = "begin the file with a block: ---, subject: …, ---"
            self._add(variant.html or variant.text, "N412", "the mail has no subject", hint=hint)

    def _value(self, path: str, key: str, source: str) -> None:
        lines = self._mail.files[path].splitlines()
        line = next((n for n, text in enumerate(lines) if text.startswith(f"{key}:")), 0)
        walker = self._walker()
        walker.walk_source(source, path, whole=self._mail.files[path], line=line)
        self.problems += walker.problems

    def _names(self, path: str) -> None:
        walker = self._walker()
        walker.walk(path)
        self.problems += walker.problems

    def _walker(self) -> Walker:
        names = self._known.names(confirmation=self._confirmation)
        return Walker(self._mail.files, names, self._known.topics, self._known.forms, self._folder)

    # ── markup ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _markup(self, path: str, markup: Markup) -> None:
        for spot in markup.spots:
            self._spot(path, spot)
        for tag in markup.tags():
            if not tag.closing:
                self._tag(path, tag)

    def _spot(self, path: str, spot: Spot) -> None:
        at, width, shown = spot.piece.start, len(spot.piece.text), spot.piece.kind == "print"
        if spot.where == "unquoted" and shown:
            hint = f'write {spot.attribute}="{spot.piece.text}": without quotes a value with a space becomes attributes'
            self._at(path, "N406", f"'{spot.attribute}' has no quotes around {spot.piece.text}", at, width, hint=hint)
        elif spot.where == "tag" and shown:
            self._at(path, "N406", f"{spot.piece.text} stands among the attributes of <{spot.element}>", at, width)
        elif spot.where == "raw" and spot.element in {"style", "mj-style"} and not shown:
            hint = "put {% if %} around the whole <style>, or choose a class instead"
            self._at(
                path, "N420", f"{spot.piece.text} inside <style> is lost when styles are inlined", at, width, hint=hint
            )
        if spot.attribute.startswith("on") and shown:
            self._at(path, "N408", f"{spot.piece.text} stands in the script of '{spot.attribute}'", at, width)

    def _tag(self, path: str, tag: Tag) -> None:
        width = tag.end - tag.start
        if tag.name in {"script", "iframe", "object", "embed", "form", "base"}:
            self._at(
                path, "N408", f"<{tag.name}> does not work in mails and makes them look dangerous", tag.start, width
            )
        for attribute, value in tag.attributes.items():
            if attribute.startswith("on"):
                self._at(path, "N408", f"'{attribute}' is a script; mail programs drop it", tag.start, width)
            elif value and attribute in URL_ATTRIBUTES and _SCHEME.match(value):
                scheme = value.strip().partition(":")[0].lower()
                self._at(
                    path, "N408", f"'{attribute}' begins with '{scheme}:'; write an https address", tag.start, width
                )
        if tag.name in {"img", "mj-image"} and tag.attributes.get("alt") is None and "alt" not in tag.attributes:
            hint = 'say what it shows, or alt="" where it only decorates'
            self._at(path, "N411", f"<{tag.name}> has no alt text", tag.start, width, hint=hint)
        self._pictures(path, tag, width)
        if path.endswith(".mjml") and tag.name.startswith("mj") and not _MJ_TAGS.fullmatch(tag.name):
            self._at(path, "N418", f"<{tag.name}> is not an MJML element and would be left as it is", tag.start, width)

    def _pictures(self, path: str, tag: Tag, width: int) -> None:
        address = tag.attributes.get(_PICTURES.get(tag.name, "")) or ""
        remote = (
            _REMOTE.match(address) is not None
            or _STYLE_URL.search(tag.attributes.get("style") or "") is not None
            or (tag.name in {"img", "mj-image"} and address.lstrip().startswith("{{"))
            or (tag.name == "link" and (tag.attributes.get("rel") or "").lower() == "stylesheet")
        )
        if remote and self._marketing and not self._tracking:
            hint = "a picture that is fetched tells who opened the mail; draw it with HTML, or leave it out"
            self._at(
                path,
                "N414",
                f"<{tag.name}> fetches from a server without consent to tracking",
                tag.start,
                width,
                hint=hint,
            )
        elif remote:
            self._at(path, "N414", f"<{tag.name}> is fetched from a server", tag.start, width, warning=True)
        elif address.lstrip().lower().startswith("data:image/svg"):
            self._at(path, "N415", "many mail programs do not show SVG", tag.start, width, warning=True)
        elif address.lstrip().lower().startswith("data:"):
            self._at(path, "N415", "Gmail does not show pictures embedded as data:", tag.start, width, warning=True)

    # ── the mail as a whole ─────────────────────────────────────────────────────────────────────────────────────────

    def _whole(self, variant: Variant, parts: Parts) -> None:
        path = variant.html or variant.text
        if not re.sub(r"\{%.*?%\}|<[^>]*>|\s", "", parts.text, flags=re.DOTALL):
            self._add(
                path, "N409", "the text part comes out empty", hint="write a .txt beside it, or words into the HTML"
            )
        size = len(parts.html.encode("utf-8"))
        if size > CLIPPED_AT:
            self._add(
                path, "N410", f"the HTML is {size // 1024} KB; Gmail cuts at 102 KB and hides the unsubscribe link"
            )
        if not parts.inlined:
            hint = (
                "close every element in the branch that opens it, and write {% if %} inside quotes or around elements"
            )
            self._add(
                path,
                "N418",
                "elements and {% if %} cross each other, so styles stay in <style>",
                hint=hint,
                warning=True,
            )
        if self._confirmation:
            self._confirms(variant, parts)
        elif self._marketing:
            self._duties(variant, parts)

    def _duties(self, variant: Variant, parts: Parts) -> None:
        """Who sends this and how to leave, in both parts (E12)."""
        shown = text_source(parts.html) if parts.html else ""
        for part, path, source in (("HTML", variant.html, shown), ("text", variant.text or variant.html, parts.text)):
            if not path:
                continue
            if not _prints(source, "links.unsubscribe"):
                hint = "add a link to {{ links.unsubscribe }}"
                self._add(path, "N404", f"the {part} part of this marketing mail has no unsubscribe link", hint=hint)
            if not _prints(source, "sender.postal_address"):
                hint = "add {{ sender.name }}, {{ sender.postal_address }}"
                self._add(path, "N405", f"the {part} part of this marketing mail has no postal address", hint=hint)

    def _confirms(self, variant: Variant, parts: Parts) -> None:
        """A confirmation asks, and advertises nothing (C8)."""
        path = variant.html or variant.text
        if "links.confirm" not in parts.text:
            self._add(path, "N417", "the confirmation mail has no link to {{ links.confirm(consent.topic) }}")
        if not _prints(parts.text, "consent.wording"):
            self._add(path, "N417", "the confirmation mail does not show what is agreed to: {{ consent.wording }}")
        if not variant.html:
            return
        markup = read(flatten(variant.html, self._mail.files))
        for tag in markup.tags():
            address = (tag.attributes.get("href") or "").strip() if tag.name == "a" and not tag.closing else ""
            allowed = re.match(
                r"\{\{\s*(?:\(?links\.(?:confirm|preferences|unsubscribe)\b|sender\.)|mailto:\{\{\s*sender\.", address
            )
            imprint = re.search(
                r"imprint|impressum|legal|mentions|privacy|datenschutz|confidential", address, re.IGNORECASE
            )
            if address and not allowed and not imprint:
                hint = "a confirmation links to confirm, to preferences and to the imprint, and nowhere else"
                self._add(path, "N417", f"the confirmation mail links to {address[:60]}", find=address, hint=hint)
            if tag.name == "img":
                self._add(path, "N417", "the confirmation mail shows a picture; keep it plain", find="<img")

    # ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _body(self, path: str) -> str:
        try:
            return front_matter(self._mail.files[path], path)[1]
        except TemplateBroken:
            return self._mail.files[path]

    def _at(
        self, path: str, code: str, message: str, offset: int, width: int, *, hint: str = "", warning: bool = False
    ) -> None:
        body, source = self._body(path), self._mail.files[path]
        line = body.count("\n", 0, offset) + 1
        column = offset - (body.rfind("\n", 0, offset) + 1) + 1
        snippet = source.splitlines()[line - 1] if source else ""
        mark = Mark(self._folder + path, line, column, max(1, min(width, len(snippet) - column + 1)))
        self.problems.append(Problem(mark, code, message, "warning" if warning else "error", hint, snippet))

    def _add(
        self,
        path: str,
        code: str,
        message: str,
        *,
        line: int = 1,
        find: str = "",
        hint: str = "",
        warning: bool = False,
    ) -> None:
        source = self._mail.files.get(path, "")
        column = 1
        if find and (at := source.find(find)) >= 0:
            line, column = source.count("\n", 0, at) + 1, at - (source.rfind("\n", 0, at) + 1) + 1
        lines = source.splitlines()
        snippet = lines[line - 1] if find and line <= len(lines) else ""
        mark = Mark(self._folder + path, line, column, max(1, len(find)))
        self.problems.append(Problem(mark, code, message, "warning" if warning else "error", hint, snippet))


def _prints(source: str, name: str) -> bool:
    return re.search(rf"\{{\{{[^}}]*\b{re.escape(name)}\b", source) is not None


def _problem(path: str, code: str, message: str, line: int = 1, hint: str = "") -> Problem:
    return Problem(Mark(path, line), code, message, hint=hint)


def check_all(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of many templates, each once, sorted: a shared layout is reported once."""
    return sorted(set(problems), key=lambda p: (p.mark, p.code))

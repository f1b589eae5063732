"""The files of a mail, and the mail as it is stored: one name, its locales, its front matter, one hash over all.

`cart/reminder` is made of `cart/reminder.html` (or `.mjml`), optionally `cart/reminder.txt`, and the same for
locales: `cart/reminder.fr.html`. A front-matter block between `---` lines gives `subject`, `preheader` and `from`.
Files it extends, includes or imports belong to it: when the layout changes, so does the hash of every mail in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

import msgspec
import yaml

from nurture.errors import UserError

FRONT_MATTER_KEYS = ("subject", "preheader", "from")
EXTENSIONS = ("html", "mjml", "txt")

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{4})?(?:[-_](?:[A-Za-z]{2}|\d{3}))?")
_FILE = re.compile(
    r"(?P<name>.+?)(?:\.(?P<locale>[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,4}){0,2}))?\.(?P<kind>html|mjml|txt)"
)
_FENCE = re.compile(r"---[ \t]*\r?\n(?P<block>.*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_REFERENCE = re.compile(r"\{%[-+]?\s*(?:extends|include|import|from)\s+(?P<rest>[^%]*?)%\}", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]+)\"|'([^']+)'")


class TemplateBroken(UserError):
    """A template's files cannot be read as one mail; `file` and `line` say where."""

    def __init__(self, message: str, file: str, line: int = 1) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.reason = message
        self.file = file
        self.line = line


class Template(msgspec.Struct, frozen=True):
    """A mail as it is stored: its name and every file it needs, by path below `templates/`."""

    name: str
    files: dict[str, str]

    @property
    def hash(self) -> str:
        """The version: SHA-256 over all files, the same wherever it is computed."""
        return template_hash(self.files)

    def variants(self) -> dict[str, Variant]:
        return variants(self.name, self.files)


class Variant(msgspec.Struct, frozen=True):
    """The files of one locale, empty where there is none; `locale` is empty where none is written."""

    locale: str
    html: str = ""  # a path that ends in .html or .mjml
    text: str = ""


class FrontMatter(msgspec.Struct, frozen=True):
    """What stands above the mail: Jinja sources; `lines` is how many lines of the file it takes."""

    values: dict[str, str]
    lines: int


def template_hash(files: Mapping[str, str]) -> str:
    """SHA-256 as hex over paths and contents; line ends do not count, so a checkout on Windows is the same version."""
    plain = {path: _unix(text) for path, text in files.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()


def template_names(files: Iterable[str]) -> list[str]:
    """Every mail a folder holds; files in a folder or with a name that begins with `_` are parts, not mails."""
    found = {match["name"] for path in files if (match := _FILE.fullmatch(path))}
    return sorted(name for name in found if not any(part.startswith("_") for part in name.split("/")))


def template(name: str, files: Mapping[str, str]) -> Template:
    """The mail `name` out of a project's files, with all it extends and includes.

    Raises TemplateBroken where a file it names is not there, and for a mail without any file.
    """
    own = [path for path in files if (match := _FILE.fullmatch(path)) and match["name"] == name]
    if not own:
        raise TemplateBroken(f"there is no template '{name}'", name)
    needed: dict[str, str] = {}
    wanted = [(path, "", 1) for path in own]
    while wanted:
        path, by, line = wanted.pop()
        if path in needed:
            continue
        if path not in files:
            raise TemplateBroken(f"'{path}' is not there", by, line)
        needed[path] = _unix(files[path])
        wanted += [(other, path, at) for other, at in references(needed[path])]
    return Template(name, dict(sorted(needed.items())))


def references(source: str) -> list[tuple[str, int]]:
    """The files a source names in `extends`, `include`, `import` and `from`, each with its line."""
    found = []
    for match in _REFERENCE.finditer(source):
        quoted = _QUOTED.search(match["rest"])
        if quoted:
            found.append((quoted[1] or quoted[2], source.count("\n", 0, match.start()) + 1))
    return found


def variants(name: str, files: Iterable[str]) -> dict[str, Variant]:
    """The mail's locales, normalised as `fr-CH`; the empty one is the file without a locale."""
    found: dict[str, Variant] = {}
    for path in sorted(files):
        match = _FILE.fullmatch(path)
        if match is None or match["name"] != name:
            continue
        locale = normal_locale(match["locale"] or "")
        variant = found.get(locale, Variant(locale))
        if match["kind"] == "txt":
            found[locale] = msgspec.structs.replace(variant, text=path)
        elif not variant.html:
            found[locale] = msgspec.structs.replace(variant, html=path)
        else:
            raise TemplateBroken(f"'{variant.html}' and '{path}' are the same mail; keep one", path)
    return found


def choose(locale: str, available: Mapping[str, Variant], project_locale: str) -> Variant | None:
    """The variant for a lead: `fr-CH` → `fr` → the project's locale → none written (campaigns.md §9).

    A variant with HTML is preferred over one that is text only.
    """
    chain = [*locale_chain(locale), *locale_chain(project_locale), ""]
    for wanted in (True, False):
        for step in chain:
            variant = available.get(step)
            if variant is not None and (variant.html or not wanted):
                return variant
    return None


def locale_chain(locale: str) -> list[str]:
    """`fr-CH` → [`fr-CH`, `fr`]; nothing for what is no locale."""
    full = normal_locale(locale)
    language = full.partition("-")[0]
    return [] if not full else [full] if language == full else [full, language]


def normal_locale(text: str) -> str:
    """`fr_ch` → `fr-CH`, `sr_latn` → `sr-Latn`; empty for what is no locale."""
    if not _LOCALE.fullmatch(text):
        return ""
    language, *rest = re.split("[-_]", text)
    return "-".join([language.lower(), *(part.title() if len(part) == 4 else part.upper() for part in rest)])


def front_matter(source: str, file: str) -> tuple[FrontMatter, str]:
    """The block above the mail, and the source with that block blanked, so that lines keep their numbers.

    Values are texts as written: `subject: 010` is `010`. Raises TemplateBroken for YAML that cannot be read.
    """
    fence = _FENCE.match(source)
    if fence is None:
        return FrontMatter({}, 0), source
    lines = source.count("\n", 0, fence.end())
    try:
        values = yaml.load(fence["block"], Loader=yaml.BaseLoader)  # noqa: S506 — texts only, no objects
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        hint = "; write the value in quotes where it holds ': ' or begins with '{'"
        raise TemplateBroken(f"the block between '---' lines cannot be read{hint}", file, line) from error
    values = values or {}
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise TemplateBroken("the block between '---' lines takes 'subject: …', 'preheader: …', 'from: …'", file)
    # An author's line ends are for the author's eyes; a lead's would be refused in a header.
    tidy = {str(key): " ".join(value.split()) for key, value in values.items()}
    return FrontMatter(tidy, lines), "\n" * lines + source[fence.end() :]


def _unix(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

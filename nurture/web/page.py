"""Public pages: no script, no cookie, nothing from elsewhere, the lead's language (trust X8)."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from nurture.campaign.project import Project

LANGUAGES = ("en", "fr", "ro")
Texts = Mapping[str, Mapping[str, str]]


class Pages:
    """Renders the public pages; made once, holds templates and texts."""

    def __init__(self) -> None:
        folder = files("nurture.web") / "pages"
        self._texts: dict[str, Texts] = {
            language: tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8")) for language in LANGUAGES
        }
        self._style = (folder / "style.css").read_text(encoding="utf-8")
        self._templates = Environment(
            loader=PackageLoader("nurture.web", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        digest = base64.b64encode(hashlib.sha256(self._style.encode("utf-8")).digest()).decode("ascii")
        self.headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
        }

    def language(self, project: Project, *wanted: str | None) -> str:
        """The first of the wanted locales that has texts, else the project's, else English."""
        for locale in (*wanted, project.locale):
            language = (locale or "").replace("_", "-").partition("-")[0].lower()
            if language in self._texts:
                return language
        return LANGUAGES[0]

    def texts(self, language: str, page: str) -> Mapping[str, str]:
        """The words of one page."""
        return self._texts[language][page]

    def show(
        self,
        project: Project,
        language: str,
        page: str,
        *,
        template: str = "message",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """One page. `page` names its words, `template` its shape; `title` and `text` may be given instead."""
        words = self.texts(language, page)
        values = {"title": words.get("title", ""), "text": words.get("text", ""), "notes": (), **context}
        html = self._templates.get_template(f"{template}.html").render(
            t=words, lang=language, sender=project.sender, style=self._style, **values
        )
        return Response(html, status, {**self.headers, **(headers or {})}, "text/html; charset=utf-8")


def by_locale(texts: Mapping[str, str], locale: str | None, project: Project) -> str:
    """The text for a locale: `fr-CH`, `fr`, the project's, then whichever comes first."""
    for name in (locale or "", (locale or "").partition("-")[0], project.locale, project.locale.partition("-")[0]):
        if name in texts:
            return texts[name]
    return next(iter(texts.values()), "")


def topic_words(project: Project, names: Sequence[str], locale: str | None) -> list[dict[str, str]]:
    """Name, title and exact wording of these topics, as a page shows them."""
    found = []
    for name in names:
        topic = project.topics.get(name)
        title = by_locale(topic.title, locale, project) if topic else ""
        wording = by_locale(topic.wording, locale, project) if topic else ""
        found.append({"name": name, "title": title or name, "wording": wording})
    return found


def masked(address: str | None) -> str:
    """Enough of an address to know one's own, too little to learn another's: `a•••@e•••.com`."""
    local, at, domain = (address or "").rpartition("@")
    if not at or not local:
        return ""
    name, dot, end = domain.rpartition(".")
    return f"{local[:1]}•••@{name[:1]}•••{dot}{end}" if dot else f"{local[:1]}•••@•••"

"""The demo's inbox: every mail it sent, kept in memory; and as files at the end."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from nurture.app import App
from nurture.campaign.project import Project
from nurture.demo.setting import Setting
from nurture.inbox.letter import Letter, named
from nurture.inbox.pages import InboxPages, style, templates


class Inbox:
    """All mails that came, oldest first. `names` are the people behind the addresses."""

    def __init__(self, app: App, names: dict[str, str]) -> None:
        self._app = app
        self._names = names
        self._letters: list[Letter] = []
        self._known = 0  # letters whose campaign was looked up
        self._given = 0  # letters that `arrived` has given

    @property
    def project(self) -> Project:
        return self._app.settings.project

    def accept(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> None:
        """Keep a mail; the mail server's side."""
        at, links = self._app.clock.now(), self._app.links
        message = links.read_verp(sender.rpartition("@")[0]) or 0
        for recipient in recipients:
            name = self._names.get(recipient, "")
            number = len(self._letters) + 1
            self._letters.append(Letter(number, at, sender, recipient, raw, message, name=name))

    def letters(self) -> Sequence[Letter]:
        """All of them, with the names of their campaigns."""
        if self._known < len(self._letters):
            with self._app.database.read() as tx:
                self._letters[self._known :] = named(tx, self._letters[self._known :])
            self._known = len(self._letters)
        return self._letters

    def arrived(self) -> list[Letter]:
        """Those that came since this was last asked."""
        new = list(self.letters()[self._given :])
        self._given = len(self._letters)
        return new


_WORDS = (
    "Every mail of the demo was really sent over SMTP, to the small server behind this page. Choose one on the left: "
    "it looks as its reader sees it, in the light and in the dark.",
    "The links to unsubscribe, to preferences and to forms work as long as the demo runs. Those to the shop's own "
    "pages lead nowhere, for the shop is made up.",
)


def pages(inbox: Inbox, setting: Setting) -> InboxPages:
    """The demo's inbox in a browser."""
    return InboxPages(inbox, setting.inbox_port, setting.base_url, _WORDS)


def write_mails(inbox: Inbox, folder: Path) -> Path:
    """Every mail as a file, to be read when the inbox is shut; the list of them is the answer."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = inbox.letters()
    for letter in letters:
        (folder / _name_of(letter)).write_text(letter.html or letter.text, "utf-8")
    page = templates(inbox.project, _file).get_template("mails.html")
    listed = folder / "index.html"
    listed.write_text(page.render(rows=letters[::-1], css=style(), name_of=_name_of), "utf-8")
    return listed


def _name_of(letter: Letter) -> str:
    return f"{letter.number:04}.{'html' if letter.html else 'txt'}"


def _file(name: str) -> str:
    return files("nurture.demo").joinpath("pages", name).read_text("utf-8")

"""The folder of a review: every mail as files, a page to look through, an index for other programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nurture.cli.camera import WIDTHS, Camera
from nurture.cli.console import write_file
from nurture.cli.pages import page
from nurture.cli.palette import PALETTE
from nurture.errors import UserError
from nurture.mail.scheme import SCHEMES, adapts

if TYPE_CHECKING:
    from nurture.campaign.project import Project
    from nurture.delivery.matrix import Cell

_INDEX, _PAGE = "index.json", "index.html"


class Sheet:
    """What is written below `folder`. A folder that is not ours is not touched; what an earlier review left goes.
    Raises UserError where a file cannot be written."""

    def __init__(self, folder: Path, project: Project, gone: list[str]) -> None:
        self.index = folder / _PAGE
        self._folder = folder
        self._project = project
        self._gone = gone
        self._cells: list[Cell] = []
        self._files: dict[str, dict[str, str]] = {}  # kind → path below the folder, by cell
        self._clear()

    def add(self, cell: Cell) -> Cell:
        """Write the mail as HTML, as text and as what changed in it."""
        parts = {"diff": cell.difference}
        if cell.mail is not None:
            parts |= {"html": cell.mail.html, "txt": _as_text(cell)}
        self._cells.append(cell)
        self._files[cell.file] = {}
        for kind, content in parts.items():
            if content:
                self._write(cell, kind, content.encode())
        return cell

    def picture(self, camera: Camera, heard: Callable[[str, float], None]) -> None:
        """Pictures of all mails, in light and, where a mail knows it, in dark. Equal mails are taken once."""
        taken: dict[str, bytes] = {}
        for number, cell in enumerate(self._cells):
            heard("taking pictures", number / len(self._cells))
            html = cell.mail.html if cell.mail is not None else ""
            for scheme in SCHEMES if html else ():
                if scheme == "dark" and not adapts(html):
                    continue
                for width in WIDTHS:
                    key = hashlib.sha256(f"{width} {scheme} {html}".encode()).hexdigest()
                    if key not in taken:
                        taken[key] = camera.take(html, width, scheme)
                    self._write(cell, f"{width}{'-dark' if scheme == 'dark' else ''}.png", taken[key])

    def finish(self) -> dict[str, Any]:
        """Write the page and the index; the index."""
        told = {
            "project": self._project.name,
            "errors": sum(f.level == "error" for c in self._cells for f in c.findings),
            "warnings": sum(f.level == "warning" for c in self._cells for f in c.findings),
            "gone": self._gone,
            "mails": [self._told(cell) for cell in self._cells],
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        write_file(self._folder / _INDEX, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        write_file(self.index, self._page(told))
        return told

    def _told(self, cell: Cell) -> dict[str, Any]:
        import msgspec

        return {
            "template": cell.template,
            "campaign": cell.campaign,
            "step": cell.step,
            "topic": cell.topic,
            "sample": cell.sample,
            "locale": cell.locale,
            "subject": cell.mail.subject if cell.mail else None,
            "size": len(cell.mail.html.encode()) if cell.mail else None,
            "mark": cell.mark,
            "findings": msgspec.to_builtins(cell.findings),
            "files": self._files[cell.file],
        }

    def _page(self, told: dict[str, Any]) -> str:
        groups: dict[str, list[tuple[Cell, dict[str, str]]]] = {}
        for cell in self._cells:
            groups.setdefault(cell.template, []).append((cell, self._files[cell.file]))
        return page(
            "contact_sheet.html",
            palette=PALETTE,
            told=told,
            groups=groups,
            locales=sorted({cell.locale for cell in self._cells}),
            marks=[mark for mark in ("new", "changed", "same") if any(c.mark == mark for c in self._cells)],
            pictures=any("desktop.png" in files for files in self._files.values()),
        )

    def _write(self, cell: Cell, kind: str, content: bytes) -> None:
        name = f"{cell.file}.{kind}"
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make {path.parent}: {error.strerror}") from error
        write_file(path, content)
        self._files[cell.file][kind] = name

    def _clear(self) -> None:
        """Take away what an earlier review wrote, by its index. Raises UserError for a folder with other things."""
        if not self._folder.exists() or not any(self._folder.iterdir()):
            return
        try:
            mails = json.loads((self._folder / _INDEX).read_text("utf-8"))["mails"]
            old = [self._folder / name for mail in mails for name in mail["files"].values()]
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            hint = "name an empty folder, or one that is not there yet"
            raise UserError(f"{self._folder} holds other things than a review", hint=hint) from error
        root = self._folder.resolve()
        for path in old:
            if path.resolve().is_relative_to(root):
                path.unlink(missing_ok=True)


def _as_text(cell: Cell) -> str:
    """Subject, sender and preheader above the words, for who reads in a terminal."""
    assert cell.mail is not None
    head = {"Subject": cell.mail.subject, "From": cell.mail.sender, "Preheader": cell.mail.letter.preheader}
    return "".join(f"{name}: {value}\n" for name, value in head.items() if value) + "\n" + cell.mail.text

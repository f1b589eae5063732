"""A project's folder as texts: config.yaml, segments.yaml, campaigns and templates. The one reader of these files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nurture.campaign.problems import Problem
from nurture.campaign.source import MAX_BYTES, Findings, decode
from nurture.errors import UserError

CONFIG = "config.yaml"
SEGMENTS = "segments.yaml"
CAMPAIGNS = "campaigns"
TEMPLATES = "templates"
YAML_ENDINGS = (".yaml", ".yml")
TEMPLATE_ENDINGS = (".html", ".mjml", ".txt")


@dataclass(frozen=True)
class Folder:
    """Texts by their path from the root, with forward slashes. `templates` are by their path under templates/."""

    root: Path
    config: tuple[str, str]
    segments: tuple[str, str] | None = None
    campaigns: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def find_root(start: Path, explicit: Path | None = None) -> Path:
    """The folder of the project: `explicit`, or the nearest one upward from `start` that has a config.yaml. Raises
    UserError where there is none."""
    if explicit is not None:
        if (explicit / CONFIG).is_file():
            return explicit.resolve()
        raise UserError(f"{explicit} has no {CONFIG}", hint="'nurture init DIR' makes a project")
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG).is_file():
            return folder
    hint = "go into the project's folder, or say --project DIR; 'nurture init DIR' makes one"
    raise UserError(f"no {CONFIG} in {here} or above it", hint=hint)


def read_folder(root: Path, also: Iterable[Path] = ()) -> Folder:
    """The project's texts. Files that hold no text are problems. `also` names further campaign files and folders; they
    may lie elsewhere. Links that lead out of the project are not followed. Raises UserError for a path that is not
    there, or a file that may not be read."""
    findings = Findings()
    config = _text(root / CONFIG, root, findings) or ""
    segments = _text(root / SEGMENTS, root, findings) if (root / SEGMENTS).is_file() else None
    wanted = dict.fromkeys(path.resolve() for path in [*_own_campaigns(root), *_further(also, root)])
    campaigns = {_name(path, root): _text(path, root, findings) for path in wanted}
    templates = {
        path.relative_to(root / TEMPLATES).as_posix(): _text(path, root, findings)
        for path in sorted((root / TEMPLATES).rglob("*"))
        if path.suffix in TEMPLATE_ENDINGS and _inside(path, root)
    }
    return Folder(
        root,
        (CONFIG, config),
        None if segments is None else (SEGMENTS, segments),
        {name: text for name, text in campaigns.items() if text is not None},
        {name: text for name, text in templates.items() if text is not None},
        findings.problems,
    )


def _own_campaigns(root: Path) -> list[Path]:
    if (root / CAMPAIGNS).is_dir():
        return [path for path in _yaml_files(root / CAMPAIGNS) if _inside(path, root)]
    # A small project may keep its campaigns beside config.yaml.
    return [path for path in sorted(root.glob("*.yaml")) if _is_campaign(path) and _inside(path, root)]


def _further(paths: Iterable[Path], root: Path) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [file for file in _yaml_files(path) if _is_campaign(file)]
        elif not path.is_file():
            raise UserError(f"there is no file or folder {path}")
        elif path.suffix in YAML_ENDINGS and path.resolve() not in (
            (root / CONFIG).resolve(),
            (root / SEGMENTS).resolve(),
        ):
            found.append(path)
    return found


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in YAML_ENDINGS and path.is_file())


def _is_campaign(path: Path) -> bool:
    if path.name in (CONFIG, SEGMENTS) or not path.is_file():
        return False
    with path.open("rb") as file:
        return re.search(rb"^campaign:", file.read(MAX_BYTES), re.MULTILINE) is not None


def _inside(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root.resolve())


def _name(path: Path, root: Path) -> str:
    """What problems call the file: its path from the root where it lies inside, else as it was given."""
    resolved = path.resolve()
    base = root.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else path.as_posix()


def _text(path: Path, root: Path, findings: Findings) -> str | None:
    name = _name(path, root)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # one more than allowed tells that there is more
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from error
    return decode(name, data, findings)

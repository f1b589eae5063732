"""What changes in a project's folder while somebody edits it: looked at again and again, told once it is quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from nurture.folder import CAMPAIGNS, TEMPLATE_ENDINGS, TEMPLATES, YAML_ENDINGS

EVERY = 0.2  # seconds between two looks; a look at 500 files takes some 2 ms (docs/decisions/0021)
_ENDINGS = (*YAML_ENDINGS, *TEMPLATE_ENDINGS, ".toml")
_MOST_LOOKS = 20  # a file that is written without a pause keeps nobody waiting for longer than this

Seen = dict[str, tuple[int, int, int]]


class Quiet:
    """Tells of a change once two looks in a row saw the same, so that a file is not read while it is being written.

    What an editor renames over the old file is another file by its number, though of the same size and minute."""

    def __init__(self, first: Seen) -> None:
        self._told = self._last = first
        self._looks = 0

    def see(self, now: Seen) -> frozenset[str]:
        """The paths that are new, gone or written anew since the last telling; none as long as they still change."""
        settled = now == self._last or self._looks >= _MOST_LOOKS
        self._last = now
        if now == self._told:
            self._looks = 0
            return frozenset()
        if not settled:
            self._looks += 1
            return frozenset()
        changed = frozenset(path for path in now.keys() | self._told.keys() if now.get(path) != self._told.get(path))
        self._told, self._looks = now, 0
        return changed


def look(root: Path, also: Iterable[Path] = ()) -> Seen:
    """The files a project is read from, and those named besides, with when each was written, its size and its number.
    Folders and files that go away meanwhile are left out."""
    seen: Seen = {}
    for folder in (root / CAMPAIGNS, root / TEMPLATES, *also):
        for path, _, names in os.walk(folder):
            _note(seen, path, names)
    _note(seen, str(root), _names_in(root))
    for given in also:
        _note(seen, str(given.parent), [given.name])
    return seen


def changes(root: Path, also: Iterable[Path] = ()) -> Iterator[frozenset[str]]:
    """First nothing, then the paths of each change, from the root where they lie in it; without end."""
    given = [path.resolve() for path in also]
    quiet = Quiet(look(root, given))
    yield frozenset()
    while True:
        time.sleep(EVERY)
        if changed := quiet.see(look(root, given)):
            yield frozenset(path.removeprefix(f"{root}{os.sep}") for path in changed)


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _note(seen: Seen, folder: str, names: Iterable[str]) -> None:
    for name in names:
        if not name.endswith(_ENDINGS):
            continue
        path = os.path.join(folder, name)
        try:
            found = os.stat(path)
        except OSError:
            continue
        seen[path] = (found.st_mtime_ns, found.st_size, found.st_ino)

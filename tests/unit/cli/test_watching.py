"""When a change in a project's folder is told, and of which files."""

from __future__ import annotations

import os
from pathlib import Path

from nurture.cli.watching import Quiet, look

OLD = {"a.yaml": (1, 10, 7), "b.yaml": (1, 10, 8)}
NEW = OLD | {"a.yaml": (2, 10, 7)}
HALF = OLD | {"a.yaml": (3, 4, 7)}


def test_what_stays_as_it_is_is_never_told() -> None:
    quiet = Quiet(OLD)
    assert [quiet.see(OLD) for _ in range(3)] == [frozenset()] * 3


def test_a_change_is_told_once_two_looks_agree() -> None:
    quiet = Quiet(OLD)
    assert [quiet.see(now) for now in (HALF, NEW, NEW, NEW)] == [set(), set(), {"a.yaml"}, set()]


def test_a_change_taken_back_before_it_was_told_is_none() -> None:
    quiet = Quiet(OLD)
    assert [quiet.see(now) for now in (HALF, OLD, OLD)] == [set()] * 3


def test_files_that_came_and_went_are_told() -> None:
    quiet = Quiet(OLD)
    moved = {"b.yaml": OLD["b.yaml"], "c.yaml": (1, 10, 9)}
    assert [quiet.see(moved), quiet.see(moved)] == [set(), {"a.yaml", "c.yaml"}]


def test_a_file_that_never_rests_is_told_all_the_same() -> None:
    quiet = Quiet(OLD)
    told = [quiet.see(OLD | {"a.yaml": (turn, 1, 7)}) for turn in range(2, 30)]
    assert {"a.yaml"} in told


def project(root: Path) -> Path:
    (root / "campaigns").mkdir()
    (root / "templates" / "cart").mkdir(parents=True)
    for name in ("config.yaml", "campaigns/a.yaml", "templates/cart/one.html", "nurture.db", "templates/notes.md"):
        (root / name).write_text("x")
    return root


def names(root: Path) -> set[str]:
    return {Path(path).relative_to(root).as_posix() for path in look(root)}


def test_only_files_a_project_is_read_from_are_looked_at(tmp_path: Path) -> None:
    assert names(project(tmp_path)) == {"config.yaml", "campaigns/a.yaml", "templates/cart/one.html"}


def test_a_folder_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "campaigns").rename(tmp_path / "elsewhere")
    assert names(tmp_path) == {"config.yaml", "templates/cart/one.html"}


def test_a_file_renamed_over_another_of_the_same_size_and_time_is_a_change(tmp_path: Path) -> None:
    before = look(project(tmp_path))
    old, new = tmp_path / "campaigns/a.yaml", tmp_path / "campaigns/.a.swp"
    new.write_text("y")
    os.utime(new, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    new.replace(old)
    assert look(tmp_path) != before

"""Who a wire journal belongs to: the dead's is taken over once, the living's never."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from nurture.delivery import journal
from nurture.delivery.journal import Journal, forget, orphans


def abandoned(folder: Path, worker: str) -> Journal:
    """The journal of a worker that was killed with one mail behind its dot, one answered, one refused."""
    left = Journal(folder, worker)
    for message in (1, 2, 3):
        left.dotted(message, 7)
    left.answered(2, 7, sent=True)
    left.answered(3, 7, sent=False)
    os.close(left._file)  # what the kernel does
    return left


def test_a_dead_workers_journal_tells_how_far_each_mail_came(tmp_path: Path) -> None:
    abandoned(tmp_path, "host.example-1-0")
    (found,) = orphans(tmp_path)
    assert found.worker == "host.example-1-0"
    assert found.fates == {(1, 7): "dotted", (2, 7): "sent", (3, 7): "ended"}


def test_what_is_settled_is_forgotten_and_the_rest_kept(tmp_path: Path) -> None:
    left = Journal(tmp_path, "one")
    left.dotted(1, 7)
    left.dotted(2, 7)
    left.settled([(1, 7)])
    left._begin()
    os.close(left._file)
    (found,) = orphans(tmp_path)
    assert found.fates == {(2, 7): "dotted"}


def test_a_living_workers_journal_is_no_orphan(tmp_path: Path) -> None:
    living = Journal(tmp_path, "one")
    living.dotted(1, 7)
    assert list(orphans(tmp_path)) == []
    living.settled([(1, 7)])
    living.close()


def test_a_journal_that_is_begun_anew_while_it_is_looked_at_is_no_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = Journal(tmp_path, "one")
    lock = fcntl.flock

    def begin_first(file: int, operation: int) -> None:
        monkeypatch.setattr(journal.fcntl, "flock", lock)
        living._begin()  # the old file, which the reader has open, is nobody's from here on
        lock(file, operation)

    monkeypatch.setattr(journal.fcntl, "flock", begin_first)
    assert list(orphans(tmp_path)) == []
    assert living.path.exists()
    living.close()


def test_two_workers_that_look_at_once_do_not_both_take_a_journal_over(tmp_path: Path) -> None:
    abandoned(tmp_path, "one")
    first = orphans(tmp_path)
    next(first)
    assert list(orphans(tmp_path)) == []
    first.close()


def test_a_journal_taken_over_is_gone(tmp_path: Path) -> None:
    abandoned(tmp_path, "one")
    (tmp_path / "one.new").touch()
    for found in orphans(tmp_path):
        forget(found)
    assert list(tmp_path.iterdir()) == []


def test_after_the_machine_was_started_anew_a_journal_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned(tmp_path, "one")
    monkeypatch.setattr(journal, "_boot", lambda: "another")
    assert list(orphans(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []

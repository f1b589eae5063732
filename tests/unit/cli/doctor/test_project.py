"""Who may read what, room on the disk, and how findings are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.cli.doctor import project
from nurture.cli.doctor.finding import broken, note, ok, show
from nurture.cli.doctor.project import Room
from nurture.folder import Folder

GB = 10**9
CONFIG = """\
secrets: ["${file:secret.key}"]
smtp: {host: h, password: "${SMTP_PASSWORD}"}
dkim: {domain: acme.example, selector: s1, key: "${file:dkim.pem}"}
"""


def folder(root: Path, config: str = CONFIG) -> Folder:
    for name in ("secret.key", "dkim.pem", "nurture.db", "config.yaml"):
        (root / name).write_text("x")
        (root / name).chmod(0o600)
    return Folder(root, ("config.yaml", config))


def looked_at(root: Path, config: str = CONFIG) -> list[str]:
    return [
        f.text for f in project.readable(Folder(root, ("config.yaml", config)), root / "nurture.db") if f.level != "ok"
    ]


def test_x17_files_closed_to_others_are_right(tmp_path: Path) -> None:
    assert [f.level for f in project.readable(folder(tmp_path), tmp_path / "nurture.db")] == ["ok"]


@pytest.mark.parametrize("name", ["secret.key", "dkim.pem", "nurture.db"])
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_x17_a_file_with_secrets_or_leads_that_everybody_may_open_is_looked_at(
    name: str, mode: int, tmp_path: Path
) -> None:
    folder(tmp_path)
    (tmp_path / name).chmod(mode)
    [text] = looked_at(tmp_path)
    assert Path(name).name in text


def test_x17_a_config_without_secrets_may_be_read_by_everybody(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "config.yaml").chmod(0o644)
    assert looked_at(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "secrets: [0123456789abcdef]",
        "secrets: 0123456789abcdef",
        "smtp: {host: h, password: hunter2}",
        "dkim: [{domain: d, selector: s, key: |-\n  -----BEGIN}]",
        "providers: {mailgun: key-123}",
        "returns: {imap: {host: h, username: u, password: hunter2}}",
    ],
)
def test_x17_a_secret_written_out_in_the_config_is_looked_at(line: str, tmp_path: Path) -> None:
    folder(tmp_path)
    assert "config.yaml has a secret written out in it" in looked_at(tmp_path, line.replace("|-\n  ", ""))


def test_x17_names_of_topics_and_a_host_written_out_are_no_secrets(tmp_path: Path) -> None:
    folder(tmp_path)
    assert looked_at(tmp_path, "smtp: {host: h, username: me}\nproviders: {ses: arn}\ndkim: {domain: d}") == []


def test_x17_the_secret_itself_is_not_printed(tmp_path: Path) -> None:
    found = project.readable(folder(tmp_path, "secrets: [0123456789abcdef]"), None)
    assert not any("0123456789abcdef" in f.text + f.hint for f in found)


@pytest.mark.parametrize(("free", "level"), [(50, "ok"), (10, "ok"), (9, "warning"), (2, "warning"), (1, "error")])
def test_r07_a_disk_is_looked_at_below_a_tenth_and_broken_below_a_fiftieth(free: int, level: str) -> None:
    [found] = project.disk([Room("the database", free * GB, 100 * GB)])
    assert found.level == level
    assert found.text == f"{free}% free ({free}.0 GB) for the database"


def test_a_disk_with_two_things_on_it_is_told_once(tmp_path: Path) -> None:
    [room] = project.rooms([("the database", tmp_path), ("the journals", tmp_path / "not" / "there")])
    assert room.what == "the database, the journals"
    assert 0 < room.free <= room.total


def test_findings_fit_a_terminal_of_80_columns_and_keep_names_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    record = "p=" + "A" * 90
    show([ok("spf", "word " * 40), broken("dkim", "it is not there", f"publish {record} at once"), note("ptr", "[x]")])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and record not in line] == []
    assert any(line.strip() == record for line in lines)
    assert not any(re.search(r"\s$", line) for line in lines)
    assert lines[-1] == "1 broken, 0 to look at"

"""`nurture preview`, `send-test`, `doctor`, `init`, and the list of commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nurture.cli import app, run
from tests.e2e.commands import MAIL, Shop


def test_a_preview_is_one_file_with_the_mail_in_it(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "preview.html"
    found = shop.json("preview", "cart/reminder", "--out", out)
    assert found["subject"] == "Hello Camille"
    assert "unsubscribe" in out.read_text("utf-8")


def test_a_preview_for_a_lead_takes_its_fields(shop: Shop, tmp_path: Path) -> None:
    shop.deploy()
    shop.people("ann")
    assert shop.json("preview", "hello", "--lead", "ann", "--out", tmp_path / "p.html")["subject"] == "Hello you"


def test_links_of_a_preview_open_nothing(shop: Shop, tmp_path: Path) -> None:
    found = shop.json("preview", "hello", "--out", tmp_path / "p.html")
    assert "https://links.invalid/u/" in found["html"]
    assert "127.0.0.1" not in found["html"]


def test_a_preview_has_every_language_beside_each_other(shop: Shop, tmp_path: Path) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    shop.run("preview", "hello", "--out", tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert re.findall(r'<label for="locale-\d">(\w+)</label>', page) == ["any", "fr"]
    assert re.findall(r"<h1>(.*)</h1>", page) == ["Hello Camille", "Bonjour Camille"]


def test_a_preview_in_one_language_has_that_one_alone(shop: Shop, tmp_path: Path) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    shop.run("preview", "hello", "--locale", "fr", "--out", tmp_path / "p.html")
    assert re.findall(r"<h1>(.*)</h1>", (tmp_path / "p.html").read_text("utf-8")) == ["Bonjour Camille"]


def test_a_preview_shows_the_mail_in_light_and_dark_wide_and_on_a_phone(shop: Shop, tmp_path: Path) -> None:
    shop.run("preview", "hello", "--out", tmp_path / "p.html")
    frames = re.findall(r'<iframe sandbox title="The mail, (.*?)"', (tmp_path / "p.html").read_text("utf-8"))
    assert frames == ["wide, light", "on a phone, light", "wide, dark", "on a phone, dark"]


def test_a_preview_names_the_headers_and_what_is_wrong(shop: Shop, tmp_path: Path) -> None:
    shop.write("templates/hello.html", MAIL.replace("<p>Hello</p>", '<p style="color:#ccc">Hello</p>'))
    found = shop.json("preview", "hello", "--out", tmp_path / "p.html")
    assert "List-Unsubscribe" in dict(found["headers"])
    assert [finding["check"] for finding in found["findings"][""]] == ["contrast", "preheader"]
    assert "is hard to read" in (tmp_path / "p.html").read_text("utf-8")


def test_a_preview_of_the_confirmation_asks_about_a_topic_that_is_confirmed(shop: Shop, tmp_path: Path) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    letter = "  letter: {title: {en: The letter}, wording: {en: Yes to the letter.}}\n"
    shop.write("config.yaml", config.replace("topics:\n", f"topics:\n{letter}"))
    found = shop.json("preview", "consent/confirm", "--locale", "en", "--out", tmp_path / "p.html")
    assert found["subject"] == "Please confirm: The letter"
    assert "Yes to the letter." in found["text"]


def test_a_template_nobody_knows_is_met_with_a_guess(shop: Shop) -> None:
    assert shop.run("preview", "cart/remindr") == 1
    assert "did you mean 'cart/reminder'?" in shop.err


def test_a_test_mail_is_marked_and_in_no_statistic(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("send-test", "hello", "--to", "me@acme.example") == 0, shop.err
    (file,) = (shop.root / "mails").glob("*.eml")
    assert b"Subject: [test] Hello Camille" in file.read_bytes()
    assert shop.json("outbox", "list") == []


def test_a_healthy_project_has_nothing_broken(shop: Shop) -> None:
    shop.deploy()
    assert {finding["level"] for finding in shop.json("doctor")} <= {"ok", "warning"}


def test_the_doctor_counts_who_was_set_aside(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann")
    shop.run("enroll", "hello", "ann")
    shop.work()
    import sqlite3

    with sqlite3.connect(shop.root / "nurture.db") as file:
        file.execute("UPDATE enrollments SET state = 'parked', error = 'broken', wake = NULL")
    file.close()
    assert [f["text"] for f in shop.json("doctor") if f["topic"] == "parked"] == ["1 enrollment set aside: broken"]


def test_the_doctor_misses_the_database(shop: Shop) -> None:
    assert shop.run("doctor") == 1
    assert "'nurture deploy' makes it" in shop.out


def test_the_doctor_names_a_missing_secret(shop: Shop) -> None:
    shop.deploy()
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace('"0123456789abcdef0123456789abcdef"', '"${NURTURE_NOT_SET}"'))
    assert shop.run("doctor") == 1
    assert "NURTURE_NOT_SET" in shop.out


def test_the_doctor_says_that_no_mail_server_answers(shop: Shop) -> None:
    shop.deploy()
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace("transport: folder", "smtp: {host: 127.0.0.1, port: 1, tls: none}"))
    assert shop.run("doctor", "--json") == 1
    assert next(f["topic"] for f in json.loads(shop.out) if f["level"] == "error") == "mail"


def test_a_new_project_checks_tests_and_deploys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert run(["init", str(folder)]) == 0
    for command in (["check"], ["test"], ["deploy", "--yes"], ["doctor"]):
        assert run(["--project", str(folder), *command]) == 0, capsys.readouterr()


def test_two_new_projects_have_secrets_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(["init", str(tmp_path / name)]) == 0
    one, two = ((tmp_path / name / "secret.key") for name in ("one", "two"))
    assert one.read_text() != two.read_text()
    assert one.stat().st_mode & 0o077 == 0


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["init", str(tmp_path)]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_every_command_says_in_one_line_what_it_does() -> None:
    assert all(command.short_help and command.short_help.endswith(".") for command in app.registered_commands)

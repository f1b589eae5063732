"""config.yaml at its two levels. Folders are made by hand here; only `${file:…}` touches a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from nurture.campaign.duration import Duration
from nurture.campaign.problems import ProjectProblems
from nurture.delivery.loopback import is_local
from nurture.folder import Folder
from nurture.options import Dkim, Privacy, Retry, Smtp
from nurture.settings import Settings, database_url, load_settings, read_language

WHOLE = """
project: acme
base_url: https://news.example.com/mail/
database: sqlite:///nurture.db
secrets: ["${NURTURE_SECRET}"]
locale: fr
sender: {name: Acme, email: news@example.com, postal_address: "1 rue de la Paix, 75002 Paris"}
smtp: {host: localhost, port: 2525, tls: none, username: null, password: null, connections: 10}
"""
ENVIRON = {"NURTURE_SECRET": "s" * 32, "SMTP_PASSWORD": "canary-hunter2"}
ROOT = Path("/projects/acme")


def folder(text: str, root: Path = ROOT) -> Folder:
    return Folder(root, ("config.yaml", text))


def load(text: str, environ: dict[str, str] | None = None, root: Path = ROOT) -> Settings:
    return load_settings(folder(text, root), ENVIRON if environ is None else environ)


def told(text: str, environ: dict[str, str] | None = None) -> list[tuple[str, int]]:
    with pytest.raises(ProjectProblems) as caught:
        load(text, environ)
    return [(problem.code, problem.mark.line) for problem in caught.value.problems]


def with_smtp(smtp: str) -> str:
    return "\n".join(line for line in WHOLE.splitlines() if not line.startswith("smtp")) + f"\nsmtp: {smtp}\n"


def test_the_whole_of_it_is_read() -> None:
    settings = load(WHOLE)
    assert settings.base_url == "https://news.example.com/mail"
    assert settings.database == "sqlite:////projects/acme/nurture.db"
    assert settings.secrets == ("s" * 32,)
    assert settings.transport == "smtp"
    assert settings.smtp == Smtp("localhost", 2525, "none", connections=10)
    assert settings.project.sender.email == "news@example.com"


def test_every_machine_section_is_read() -> None:
    settings = load(
        with_smtp(
            "{host: mx.example.com, port: 465, tls: implicit, username: u, password: '${SMTP_PASSWORD}', "
            "rate: 5, retry: {first: 1m, longest: 1h, give_up: 24h}, local_hostname: me.example.com}"
        )
        + """
transport: folder
mail_folder: out
dkim: {domain: example.com, selector: s1, key: "-----BEGIN"}
providers: {postmark: "${NURTURE_SECRET}"}
trusted_proxies: [10.0.0.0/8, "::1"]
privacy: {controller: Acme SA, contact: dpo@example.com, retention: {events: 2y, messages: 13mo}}
"""
    )
    retry = Retry(Duration(seconds=60), Duration(seconds=3600), Duration(seconds=86_400))
    assert settings.smtp == Smtp(
        "mx.example.com",
        465,
        "implicit",
        "u",
        "canary-hunter2",
        rate=5,
        retry=retry,
        local_hostname="me.example.com",
    )
    assert (settings.transport, settings.mail_folder) == ("folder", ROOT / "out")
    assert settings.dkim == (Dkim("example.com", "s1", "-----BEGIN"),)
    assert settings.providers == {"postmark": "s" * 32}
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    kept = {"events": Duration(months=24), "messages": Duration(months=13)}
    assert settings.privacy == Privacy("Acme SA", "dpo@example.com", retention=kept)


def test_mails_are_retried_for_72_hours_unless_said_otherwise() -> None:
    assert load(WHOLE).smtp.retry == Retry(
        Duration(seconds=300), Duration(seconds=4 * 3600), Duration(seconds=72 * 3600)
    )


def test_x17_a_missing_variable_is_named() -> None:
    with pytest.raises(ProjectProblems) as caught:
        load(WHOLE, {})
    assert "the environment variable 'NURTURE_SECRET' is not set" in str(caught.value)
    assert caught.value.exit_code == 1


def test_x17_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectProblems) as caught:
        load(WHOLE.replace("${NURTURE_SECRET}", "${file:keys/secret}"), root=tmp_path)
    assert "the file 'keys/secret' cannot be read" in str(caught.value)


def test_a_file_reference_is_its_content_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("f" * 20 + "\n")
    assert load(WHOLE.replace("${NURTURE_SECRET}", "${file:secret}"), root=tmp_path).secrets == ("f" * 20,)


def test_a_default_is_no_reference() -> None:
    assert told(WHOLE.replace("${NURTURE_SECRET}", "${NURTURE_SECRET:-x}")) == [("N512", 5)]


def test_x17_no_secret_shows_in_the_settings_as_text() -> None:
    settings = load(with_smtp("{host: mx.example.com, username: u, password: '${SMTP_PASSWORD}'}"))
    assert "canary" not in repr(settings)
    assert "s" * 32 not in repr(settings)


def test_x17_no_secret_shows_in_a_problem() -> None:
    with pytest.raises(ProjectProblems) as caught:
        load(with_smtp("{host: mx.example.com, port: '${SMTP_PASSWORD}', tls: '${SMTP_PASSWORD}'}"))
    assert "canary" not in str(caught.value)
    assert "${SMTP_PASSWORD}" in str(caught.value)


def test_x17_the_project_holds_no_address_of_a_webhook() -> None:
    text = WHOLE + 'webhooks: {stock: {url: "https://example.com/${TOKEN}"}}\n'
    settings = load(text, {**ENVIRON, "TOKEN": "canary"})
    assert settings.webhooks == {"stock": "https://example.com/canary"}
    assert settings.project.webhooks["stock"].url == "https://example.com/${TOKEN}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8025", "http://localhost:8025/a", "http://[::1]:80", "https://a.b"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    assert load(WHOLE.replace("https://news.example.com/mail/", f'"{url}"')).base_url == url


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://news.example.com", "N502"),
        ("news.example.com", "N501"),
        ("ftp://example.com", "N501"),
        ("https://", "N501"),
        ('"https://[::1"', "N501"),
        ("https://example.com/" + "p" * 700, "N501"),
    ],
)
def test_a_base_url_that_cannot_be_is_a_problem(url: str, code: str) -> None:
    assert told(WHOLE.replace("https://news.example.com/mail/", url)) == [(code, 3)]


@pytest.mark.parametrize(
    ("smtp", "code"),
    [
        ("{host: mx.example.com, port: 70000}", "N501"),
        ("{host: mx.example.com, port: 0}", "N501"),
        ("{host: mx.example.com, tls: none}", "N503"),
        ("{host: localhost, tls: none, username: u, password: p}", "N503"),
        ("{host: localhost, tls: none, password: p}", "N503"),
        ("{host: mx.example.com, tls: maybe}", "N207"),
        ("{host: mx.example.com, retry: {first: 5}}", "N201"),
        ("{host: mx.example.com, retry: {first: 5h, longest: 1h}}", "N501"),
        ("{host: mx.example.com, retry: {give_up: 3d}}", "N501"),
        ("{host: mx.example.com, pool: 3}", "N112"),
    ],
)
def test_smtp_that_cannot_be_is_a_problem(smtp: str, code: str) -> None:
    assert [found for found, _ in told(with_smtp(smtp))] == [code]
    assert [p.code for p in read_language(folder(with_smtp(smtp))).problems] == [code]


@pytest.mark.parametrize(
    "smtp",
    [
        "{host: mx.example.com, tls: none, allow_insecure: true, username: u, password: p}",
        "{host: 127.0.0.1, tls: none}",
        "{tls: none}",
        "{host: mx.example.com}",
    ],
)
def test_smtp_without_tls_is_for_this_machine_or_by_consent(smtp: str) -> None:
    assert load(with_smtp(smtp))


SIGN_IN = "host: imap.example.com, username: u, password: p"


@pytest.mark.parametrize(
    ("returns", "code"),
    [
        ("{}", "N113"),
        ("{maildir: returned, imap: {host: h, username: u, password: p}}", "N114"),
        ("{imap: {host: imap.example.com, username: u}}", "N113"),
        (f"{{imap: {{{SIGN_IN}, port: 0}}}}", "N501"),
        (f"{{imap: {{{SIGN_IN}, tls: none}}}}", "N503"),
    ],
)
def test_a_box_for_returned_mail_that_cannot_be_is_a_problem(returns: str, code: str) -> None:
    assert [found for found, _ in told(f"{WHOLE}returns: {returns}\n")] == [code]


def test_e25_the_password_of_the_mailbox_is_shown_nowhere() -> None:
    settings = load(WHOLE + f"returns: {{imap: {{{SIGN_IN.replace('password: p', 'password: hush')}}}}}\n")
    assert settings.imap is not None
    assert settings.imap.password == "hush"
    assert "hush" not in repr(settings)


def test_c30_the_log_of_requests_is_kept_for_two_years_at_least() -> None:
    kept = "privacy: {{retention: {{requests: {}}}}}\n"
    assert [code for code, _ in told(WHOLE + kept.format("12mo"))] == ["N501"]
    for long_enough in ("24mo", "2y", "730d"):
        assert load(WHOLE + kept.format(long_enough)).privacy.retention


def test_a_port_is_told_in_the_users_words() -> None:
    (problem,) = read_language(folder("project: p\nsmtp:\n  port: 70000\n")).problems
    assert str(problem).splitlines()[0] == ("config.yaml:3:9: error N501: 'smtp.port' is 70000; a port is 1 to 65535")


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(ProjectProblems) as caught:
        load("project: p\ntopics: {a: {title: A}}\n")
    missing = {problem.message.split("'")[1] for problem in caught.value.problems}
    assert missing == {"base_url", "secrets", "sender.email", "sender.postal_address", "smtp", "a"}


def test_a_topic_needs_its_words_in_the_projects_language() -> None:
    assert told(WHOLE + "topics: {a: {title: {en: A}, wording: {en: Yes}}}\n") == [("N522", 9), ("N522", 9)]
    assert load(WHOLE + "topics: {a: {title: {fr: A}, wording: {fr: Oui}}}\n")


def test_a_short_secret_is_refused() -> None:
    assert told(WHOLE, {"NURTURE_SECRET": "short"}) == [("N521", 5)]


def test_a_folder_transport_needs_no_server() -> None:
    settings = load(with_smtp("{}").replace("smtp: {}", "transport: folder"))
    assert settings.mail_folder == ROOT / "mails"


def test_the_language_needs_no_secret_and_no_server() -> None:
    reading = read_language(folder('project: p\nsecrets: ["${A}"]\nbase_url: "${B}"\nsmtp: {port: "${C}"}\n'))
    assert reading.problems == []


def test_the_language_takes_a_variable_that_is_set() -> None:
    text = "project: p\ntimezone: '${ZONE}'\nsender: {email: '${FROM}'}\n"
    assert read_language(folder(text), {"ZONE": "Europe/Paris"}).project.zone == "Europe/Paris"
    assert read_language(folder(text)).problems == []
    assert [p.code for p in read_language(folder(text), {"ZONE": "Paris"}).problems] == ["N210"]


def test_only_the_database_can_be_asked_for() -> None:
    text = "project: p\nsecrets: ['${A}']\ndatabase: postgresql://u:${PASSWORD}@host/db\n"
    assert database_url(folder(text), {"PASSWORD": "p"}) == "postgresql://u:p@host/db"
    assert database_url(folder("project: p"), {}) == "sqlite:////projects/acme/nurture.db"
    with pytest.raises(ProjectProblems, match="'PASSWORD' is not set"):
        database_url(folder(text), {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:////var/lib/n.db", "sqlite:////var/lib/n.db"),
        ("sqlite:///data/n.db", "sqlite:////projects/acme/data/n.db"),
        ("postgres://h/d", "postgresql://h/d"),
    ],
)
def test_a_sqlite_file_lies_in_the_project(written: str, meant: str) -> None:
    assert load(WHOLE.replace("sqlite:///nurture.db", written)).database == meant


def test_another_database_is_refused() -> None:
    assert told(WHOLE.replace("sqlite:///nurture.db", "mysql://h/d")) == [("N501", 4)]


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("a.localhost", True), ("10.0.0.1", False), ("h", False)],
)
def test_local_is_this_machine_itself(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_a_broken_config_is_told_and_not_started() -> None:
    assert [code for code, _ in told("project: [")] == ["N101"]
    assert [p.code for p in read_language(folder("project: [")).problems] == ["N101"]


def test_e5_a_dkim_key_of_another_domain_is_a_problem() -> None:
    assert told(WHOLE + "dkim: {domain: example.org, selector: s1, key: K}\n") == [("N523", 9)]


def test_e5_a_dkim_key_of_a_domain_above_the_senders_is_none() -> None:
    text = WHOLE.replace("news@example.com", "news@mail.example.com")
    assert load(text + "dkim: {domain: example.com, selector: s1, key: K}\n").dkim[0].domain == "example.com"

"""`nurture doctor` against a domain whose records, host and mail server are right, then broken one by one (E11)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nurture.cli import run
from nurture.clock import machine_now
from nurture.delivery.dkim import SigningKey, read_key
from tests.e2e.commands import CONFIG, Shop, write_project
from tests.e2e.outside import Authority, Nameserver, Zone, mail_server, quoted, web_answers, web_host
from tests.e2e.web_world import Endpoint

SENDING = "198.51.100.25"
REVERSE = "25.100.51.198.in-addr.arpa"
KEYS = {
    "s1": rsa.generate_private_key(65537, 2048),
    "e1": ed25519.Ed25519PrivateKey.generate(),
    "other": rsa.generate_private_key(65537, 2048),
}
PEM = {
    name: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for name, key in KEYS.items()
}


def public(name: str) -> SigningKey:
    return read_key("acme.example", name, PEM[name])


def right() -> Zone:
    """All that receivers ask for."""
    return {
        ("acme.example", "SOA"): ["ns.acme.example. hostmaster.acme.example. 1 3600 600 86400 60"],
        ("acme.example", "TXT"): [quoted("v=spf1 ip4:198.51.100.0/28 include:spf.service.example ~all")],
        ("acme.example", "MX"): ["10 mx.acme.example."],
        ("mx.acme.example", "A"): ["198.51.100.10"],
        ("spf.service.example", "TXT"): [quoted("v=spf1 ip4:198.51.100.16/28 -all")],
        ("s1._domainkey.acme.example", "TXT"): [quoted(public("s1").record())],
        ("e1._domainkey.acme.example", "TXT"): [quoted(public("e1").record())],
        ("_dmarc.acme.example", "TXT"): [quoted("v=DMARC1; p=quarantine; rua=mailto:dmarc@acme.example")],
        (REVERSE, "PTR"): ["mail.acme.example."],
        ("mail.acme.example", "A"): [SENDING],
        ("news.acme.example", "A"): ["127.0.0.1"],
    }


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[int]:
    """The port of a real endpoint."""
    endpoint = Endpoint(tmp_path_factory.mktemp("host"), "https://news.acme.example", ["0123456789abcdef" * 2])
    with web_host(endpoint.app, authority.context("news.acme.example")) as port:
        yield port
    endpoint.database.close()


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[int]:
    """The port of a mail server that takes mails after STARTTLS."""
    with mail_server(tls=authority.context("127.0.0.1")) as scripted:
        yield scripted.port


def findings(out: str) -> list[dict[str, Any]]:
    """Those of `--json`; what the loggers of a test wrote stands before them."""
    found: list[dict[str, Any]] = json.loads(out[out.index("[\n") :])
    return found


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the shop's campaigns live."""
    root = tmp_path_factory.mktemp("shop")
    write_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nurture.logs.set_up", lambda: None)
        assert run(["--project", str(root), "deploy", "--yes"]) == 0
    return root / "nurture.db"


class Practice:
    """A deployed project, and the DNS that its doctor asks."""

    def __init__(
        self, shop: Shop, names: Nameserver, authority: Authority, server: int, host: int, database: Path
    ) -> None:
        self.shop, self.names, self.zone = shop, names, names.zone
        self._authority, self._server, self._host = authority, server, host
        for name, text in PEM.items():
            shop.write(f"{name}.pem", text).chmod(0o600)
        self.config()
        shutil.copy(database, shop.root / "nurture.db")

    def config(self, *, server: int | None = None, base: str | None = None, keys: str = "s1 e1") -> None:
        base = base or f"https://news.acme.example:{self._host}"
        smtp = f"smtp: {{host: 127.0.0.1, port: {server or self._server}, ca_file: {self._authority.file}}}"
        dkim = ", ".join(f'{{domain: acme.example, selector: {k}, key: "${{file:{k}.pem}}"}}' for k in keys.split())
        text = CONFIG.replace("http://127.0.0.1:8025", base).replace("transport: folder", smtp)
        text = text.replace('["0123456789abcdef0123456789abcdef"]', '["${file:secret.key}"]')
        self.shop.write("secret.key", "0123456789abcdef0123456789abcdef").chmod(0o600)
        text += "providers: {mailgun: '${file:secret.key}'}\n"
        self.shop.write("config.yaml", text + (f"dkim: [{dkim}]\n" if dkim else "")).chmod(0o600)

    def edit(self, old: str, new: str) -> None:
        text = (self.shop.root / "config.yaml").read_text("utf-8")
        assert old in text
        self.shop.write("config.yaml", text.replace(old, new))

    def ask(self, *more: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit code and the findings."""
        code = self.shop.run("doctor", "--nameserver", self.names.place, "--sends-from", SENDING, "--json", *more)
        return code, findings(self.shop.out)

    def of(self, level: str, *more: str) -> list[tuple[str, str]]:
        return [(f["topic"], f["text"]) for f in self.ask(*more)[1] if f["level"] == level]


@pytest.fixture
def practice(
    shop: Shop, authority: Authority, server: int, host: int, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Practice]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    names = Nameserver(right())
    try:
        yield Practice(shop, names, authority, server, host, deployed)
    finally:
        names.stop()


def test_e11_nothing_is_broken_or_odd_where_every_record_is_right(practice: Practice) -> None:
    code, found = practice.ask()
    assert (code, [f for f in found if f["level"] not in ("ok", "note")]) == (0, [])
    topics = {f["topic"] for f in found if f["level"] == "ok"}
    assert {"mail", "tls", "spf", "dkim", "dmarc", "align", "mx", "ptr", "host", "clock", "disk", "sqlite"} <= topics


Change = Callable[[Zone], object]


def put(name: str, kind: str, *texts: str) -> Change:
    records = [quoted(text) if kind == "TXT" else text for text in texts]
    return lambda zone: zone.update({(name, kind): records})


def gone(name: str, kind: str) -> Change:
    return lambda zone: zone.pop((name, kind))


def both(*changes: Change) -> Change:
    return lambda zone: [change(zone) for change in changes]


MANY = " ".join(f"a:a{n}.acme.example" for n in range(11))
S1 = "s1._domainkey.acme.example"
DMARC = "_dmarc.acme.example"
BROKEN: dict[str, tuple[Change, str, str]] = {
    "no SPF": (gone("acme.example", "TXT"), "spf", "has no SPF record"),
    "two SPF": (put("acme.example", "TXT", "v=spf1 -all", "v=spf1 ~all"), "spf", "more than one SPF record"),
    "SPF of eleven look-ups": (
        both(
            put("acme.example", "TXT", f"v=spf1 {MANY} ~all"),
            *(put(f"a{n}.acme.example", "A", "198.51.100.25") for n in range(11)),
        ),
        "spf",
        "more than 10 look-ups",
    ),
    "SPF that asks for what is not there": (
        put("acme.example", "TXT", "v=spf1 a:no1.acme.example a:no2.acme.example a:no3.acme.example ~all"),
        "spf",
        "names that are not there",
    ),
    "SPF that lets all send": (put("acme.example", "TXT", "v=spf1 +all"), "spf", "+all"),
    "SPF without our address": (put("acme.example", "TXT", "v=spf1 ip4:192.0.2.1 ~all"), "spf", "does not let 198."),
    "SPF of an include that is gone": (gone("spf.service.example", "TXT"), "spf", "spf.service.example"),
    "SPF that cannot be read": (put("acme.example", "TXT", "v=spf1 ip4:198.51.100.999 ~all"), "spf", "cannot be read"),
    "no DKIM key": (gone(S1, "TXT"), "dkim", f"{S1} is not there"),
    "another DKIM key": (put(S1, "TXT", public("other").record()), "dkim", "another key"),
    "a DKIM key of another kind": (put(S1, "TXT", public("e1").record()), "dkim", "is for ed25519 keys"),
    "a revoked DKIM key": (put(S1, "TXT", "v=DKIM1; k=rsa; p="), "dkim", "is revoked"),
    "two DKIM keys": (put(S1, "TXT", public("s1").record(), public("other").record()), "dkim", "2 TXT records"),
    "a DKIM key for SHA-1": (put(S1, "TXT", public("s1").record() + "; h=sha1"), "dkim", "does not allow sha256"),
    "no second DKIM key": (gone("e1._domainkey.acme.example", "TXT"), "dkim", "e1._domainkey.acme.example"),
    "no DMARC": (gone(DMARC, "TXT"), "dmarc", "has no DMARC record"),
    "two DMARC": (put(DMARC, "TXT", "v=DMARC1; p=none", "v=DMARC1; p=reject"), "dmarc", "more than one"),
    "DMARC that cannot be read": (put(DMARC, "TXT", "v=DMARC1; p=maybe"), "dmarc", "cannot be read"),
    "DMARC in the wrong place": (
        both(
            put(DMARC, "MX", "0 ."),
            gone(DMARC, "TXT"),
            put("acme.example", "TXT", "v=spf1 ip4:198.51.100.25 ~all", "v=DMARC1; p=none"),
        ),
        "dmarc",
        "where nobody looks",
    ),
    "DMARC of a registry": (put(DMARC, "TXT", "v=DMARC1; p=none; psd=y"), "dmarc", "psd=y"),
    "no MX": (gone("acme.example", "MX"), "mx", "has no MX"),
    "a null MX": (put("acme.example", "MX", "0 ."), "mx", "takes no mail"),
    "an MX without address": (gone("mx.acme.example", "A"), "mx", "which has no address"),
    "no PTR": (gone(REVERSE, "PTR"), "ptr", "has no reverse name"),
    "a PTR that does not lead back": (put("mail.acme.example", "A", "198.51.100.26"), "ptr", "leads to 198.51.100.26"),
    "no host": (gone("news.acme.example", "A"), "host", "news.acme.example has no address"),
}


@pytest.mark.parametrize(("change", "topic", "words"), BROKEN.values(), ids=BROKEN)
def test_e11_a_broken_record_is_named(change: Change, topic: str, words: str, practice: Practice) -> None:
    change(practice.zone)
    code, found = practice.ask()
    errors = [f for f in found if f["level"] == "error"]
    assert (code, {f["topic"] for f in errors}) == (1, {topic}), errors
    assert any(words in f["text"] for f in errors), errors
    assert all(f["hint"] for f in errors)


ODD: dict[str, tuple[Change, str, str]] = {
    "tags that RFC 9989 removed": (put(DMARC, "TXT", "v=DMARC1; p=reject; pct=50; ri=3600; rua=mailto:d@acme.example"),
                                   "dmarc", "pct, ri, which RFC 9989 removed"),
    "a tag nobody knows": (put(DMARC, "TXT", "v=DMARC1; p=reject; np=none; nq=none; rua=mailto:d@acme.example"),
                           "dmarc", "has nq, which no receiver knows"),
    "a test": (put(DMARC, "TXT", "v=DMARC1; p=reject; t=y; rua=mailto:d@acme.example"), "dmarc", "t=y"),
    "nobody to report to": (put(DMARC, "TXT", "v=DMARC1; p=reject"), "dmarc", "names nobody to report to"),
    "reports to who did not agree": (
        both(
            put(DMARC, "TXT", "v=DMARC1; p=reject; rua=mailto:us@reports.example"),
            put("reports.example", "MX", "10 mx.reports.example."),
        ),
        "dmarc", "reports.example, which has not agreed"),
    "a DKIM key in test": (put(S1, "TXT", public("s1").record() + "; t=y"), "dkim", "t=y"),
    "SPF without all": (put("acme.example", "TXT", "v=spf1 ip4:198.51.100.25"), "spf", "does not say what of all"),
    "SPF with ptr": (put("acme.example", "TXT", "v=spf1 ip4:198.51.100.25 ptr ~all"), "spf", "ptr mechanism"),
    "no MX but an address": (
        lambda zone: [gone("acme.example", "MX")(zone), put("acme.example", "A", "198.51.100.10")(zone)],
        "mx", "go to its own address"),
    "one MX without address": (put("acme.example", "MX", "10 mx.acme.example.", "20 no.acme.example."),
                               "mx", "no.acme.example"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "topic", "words"), ODD.values(), ids=ODD)
def test_e11_an_odd_record_is_looked_at_and_breaks_nothing(
    change: Change, topic: str, words: str, practice: Practice
) -> None:
    change(practice.zone)
    code, found = practice.ask()
    odd = [f for f in found if f["level"] == "warning"]
    assert (code, {f["topic"] for f in odd}) == (0, {topic}), found
    assert any(words in f["text"] for f in odd), odd
    assert all(f["hint"] for f in odd)


def test_e11_dmarc_of_the_domain_above_holds_with_its_policy_for_subdomains(practice: Practice) -> None:
    practice.zone[DMARC, "TXT"] = [quoted("v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@acme.example")]
    practice.zone["letters.acme.example", "MX"] = ["10 mx.acme.example."]
    practice.zone["letters.acme.example", "TXT"] = [quoted("v=spf1 ip4:198.51.100.25 -all")]
    practice.edit("news@acme", "news@letters.acme")
    assert ("dmarc", "letters.acme.example: p=quarantine, from _dmarc.acme.example") in practice.of("ok")


def test_e11_a_registrys_dmarc_is_no_record_of_ones_own(practice: Practice) -> None:
    del practice.zone[DMARC, "TXT"]
    practice.zone["_dmarc.example", "TXT"] = [quoted("v=DMARC1; p=reject; psd=y; rua=mailto:d@example")]
    practice.zone["example", "MX"] = ["10 mx.acme.example."]
    assert [text for topic, text in practice.of("warning") if topic == "dmarc"] == [
        "acme.example has no DMARC record of its own; only that of the registry example holds"
    ]


def test_e11_strict_alignment_wants_a_key_of_the_very_domain(practice: Practice) -> None:
    practice.zone[DMARC, "TXT"] = [quoted("v=DMARC1; p=reject; adkim=s; rua=mailto:d@acme.example")]
    practice.zone["letters.acme.example", "MX"] = ["10 mx.acme.example."]
    practice.zone["letters.acme.example", "TXT"] = [quoted("v=spf1 ip4:198.51.100.25 -all")]
    practice.edit("news@acme", "news@letters.acme")
    [(topic, text)] = practice.of("error")
    assert topic == "align"
    assert "adkim=s" in text


def test_e11_a_second_from_domain_that_no_key_signs_for_is_named(practice: Practice) -> None:
    practice.shop.write("templates/bye.html", (practice.shop.root / "templates/bye.html").read_text().replace(
        "---\nsubject", "---\nfrom: Bo <bo@other.example>\nsubject", 1))  # fmt: skip
    practice.zone["_dmarc.other.example", "TXT"] = [quoted("v=DMARC1; p=reject; rua=mailto:d@other.example")]
    practice.zone["other.example", "MX"] = ["10 mx.acme.example."]
    assert [topic for topic, text in practice.of("error") if "mails from other.example" in text] == ["align"]


def test_e11_a_domain_that_is_not_there_is_one_finding(practice: Practice) -> None:
    for name, kind in list(practice.zone):
        if name.endswith("acme.example") and name != "news.acme.example":
            del practice.zone[name, kind]
    del practice.zone["news.acme.example", "A"]
    assert practice.of("error") == [
        ("dns", "the sender's domain acme.example does not exist"),
        ("host", "news.acme.example has no address"),
    ]


def test_e11_a_nameserver_that_cannot_answer_is_no_missing_record(practice: Practice) -> None:
    practice.names.ill.add(S1)
    [(topic, text)] = practice.of("error")
    assert (topic, text) == ("dkim", f"the nameserver cannot answer for {S1}")


def test_e11_a_nameserver_that_is_no_address_is_told_so(shop: Shop) -> None:
    shop.deploy()
    shop.write("config.yaml", CONFIG.replace("transport: folder", "smtp: {host: localhost, port: 1, tls: none}"))
    assert shop.run("doctor", "--nameserver", "dns.acme.example") == 1
    assert "'dns.acme.example' is not the address of a nameserver" in shop.err


def test_e11_without_checkdmarc_spf_and_dmarc_are_left_out_and_it_says_how_to_get_it(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "checkdmarc.utils", None)
    code, found = practice.ask()
    [missing] = [f for f in found if f["level"] == "warning"]
    assert (code, missing["topic"]) == (0, "spf")
    assert "pip install 'nurture[doctor]'" in missing["hint"]
    assert {f["topic"] for f in found if f["level"] == "ok"} >= {"dkim", "mx", "ptr", "host"}


def test_e11_a_smarthost_we_sign_in_to_is_said_to_be_one(practice: Practice, authority: Authority) -> None:
    with mail_server(tls=authority.context("127.0.0.1"), login=("me", "secret")) as scripted:
        practice.config(server=scripted.port, keys="")
        practice.edit("ca_file:", "username: me, password: secret, ca_file:")
        assert practice.shop.run("doctor", "--nameserver", practice.names.place, "--json") == 0
    notes = [f["text"] for f in findings(practice.shop.out) if f["level"] == "note"]
    assert "config.yaml has no key, so the mail server has to sign" in notes
    assert "mails leave through 127.0.0.1; which addresses it sends from does not show from here" in notes


# --- the mail server and its certificate


def test_e21_a_mail_servers_certificate_that_ends_soon_is_looked_at(practice: Practice, authority: Authority) -> None:
    with mail_server(tls=authority.context("127.0.0.1", days=5)) as scripted:
        practice.config(server=scripted.port)
        [(topic, text)] = practice.of("warning")
    assert topic == "tls"
    assert "in 5 days" in text


def test_e21_a_mail_server_for_another_name_is_broken(practice: Practice, authority: Authority) -> None:
    with mail_server(tls=authority.context("mail.other.example")) as scripted:
        practice.config(server=scripted.port)
        [(topic, text)] = practice.of("error")
    assert topic == "mail"
    assert "certificate is not accepted" in text


# --- what comes back


def test_bounces_that_nobody_hears_of_are_looked_at(practice: Practice) -> None:
    practice.edit("providers: {mailgun: '${file:secret.key}'}", "")
    assert practice.of("warning") == [("returns", "nobody hears of bounces and complaints")]


def test_a_maildir_that_is_none_is_broken(practice: Practice) -> None:
    practice.edit("providers: {mailgun: '${file:secret.key}'}", "returns: {maildir: nowhere}")
    assert [topic for topic, _ in practice.of("error")] == ["returns"]


# --- the unsubscribe host

ALIVE = (200, {}, b'{"alive":true}')


def test_e11_a_host_whose_certificate_ended_is_broken(practice: Practice, authority: Authority) -> None:
    with web_answers(authority.context("news.acme.example", days=-2), lambda _: ALIVE) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        [(topic, text)] = practice.of("error")
    assert (topic, text) == ("host", "the certificate of news.acme.example is not accepted: certificate has expired")


def test_e11_a_host_whose_certificate_is_for_another_name_is_broken(practice: Practice, authority: Authority) -> None:
    with web_answers(authority.context("www.acme.example"), lambda _: ALIVE) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        [(topic, text)] = practice.of("error")
    assert topic == "host"
    assert "is not accepted" in text


def test_e11_a_host_whose_certificate_ends_soon_is_looked_at(practice: Practice, authority: Authority) -> None:
    with web_answers(authority.context("news.acme.example", days=3), lambda _: ALIVE) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        [(topic, text)] = practice.of("warning")
    assert topic == "tls"
    assert "in 3 days" in text


def test_e3_a_host_that_redirects_a_one_click_post_is_broken(practice: Practice, authority: Authority) -> None:
    def answer(method: str) -> tuple[int, dict[str, str], bytes]:
        return ALIVE if method == "GET" else (301, {"Location": "https://www.acme.example/"}, b"")

    with web_answers(authority.context("news.acme.example"), answer) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        [(topic, text)] = practice.of("error")
    assert topic == "host"
    assert "redirected to https://www.acme.example/" in text


def test_e11_a_host_that_is_not_nurture_is_broken(practice: Practice, authority: Authority) -> None:
    with web_answers(authority.context("news.acme.example"), lambda _: (200, {}, b"<h1>Shop</h1>")) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        [(topic, text)] = practice.of("error")
    assert topic == "host"
    assert "not answered by nurture" in text


def test_e11_a_host_that_refuses_the_post_is_broken(practice: Practice, authority: Authority) -> None:
    with web_answers(authority.context("news.acme.example"), lambda m: ALIVE if m == "GET" else (405, {}, b"")) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        assert practice.of("error") == [("host", "a one-click unsubscribe is answered with 405")]


def test_e11_a_host_that_nobody_serves_is_broken(practice: Practice) -> None:
    practice.config(base="https://news.acme.example:1")
    [(topic, text)] = practice.of("error")
    assert topic == "host"
    assert "cannot be reached" in text


def test_e11_a_clock_that_differs_from_the_hosts_is_looked_at(practice: Practice, authority: Authority) -> None:
    from datetime import timedelta

    late = format_datetime(machine_now() - timedelta(minutes=3), usegmt=False)
    with web_answers(authority.context("news.acme.example"), lambda _: (200, {"Date": late}, ALIVE[2])) as port:
        practice.config(base=f"https://news.acme.example:{port}")
        assert [topic for topic, _ in practice.of("warning")] == ["clock"]


def test_e11_links_to_this_machine_are_looked_at(practice: Practice) -> None:
    practice.config(base="http://127.0.0.1:8025")
    [(topic, text)] = practice.of("warning")
    assert topic == "host"
    assert "only this machine can open" in text


def test_e11_offline_asks_nobody(practice: Practice) -> None:
    practice.names.ill.update({"acme.example", "news.acme.example"})
    practice.config(server=1, base="https://news.acme.example:1")
    assert practice.ask("--offline")[0] == 0


# --- what to publish


def test_e11_the_records_it_prints_are_those_it_asks_for(practice: Practice) -> None:
    assert practice.shop.run("doctor", "--records", "--sends-from", SENDING, "--json") == 0
    for record in json.loads(practice.shop.out):
        practice.zone[record["name"], record["type"]] = [quoted(record["text"])]
    code, found = practice.ask()
    assert (code, [f for f in found if f["level"] == "warning"]) == (0, [])


def test_e11_long_records_are_cut_into_strings_that_dns_can_hold(practice: Practice) -> None:
    assert practice.shop.run("doctor", "--records") == 0
    [line] = [line for line in practice.shop.out.splitlines() if line.startswith("s1._domainkey.acme.example. TXT ")]
    strings = line.split('"')[1::2]
    assert "".join(strings) == public("s1").record()
    assert max(map(len, strings)) <= 255


def test_two_things_at_once_are_refused(practice: Practice) -> None:
    assert practice.shop.run("doctor", "--records", "--probe", "me@example.com") == 1
    assert "give one of them" in practice.shop.err


# --- the probe


def test_e5_a_probe_has_every_header_that_a_signature_should_cover(
    practice: Practice, authority: Authority, tmp_path: Path
) -> None:
    with mail_server(tls=authority.context("127.0.0.1")) as scripted:
        practice.config(server=scripted.port)
        assert practice.shop.run("doctor", "--probe", "me@example.com") == 0, practice.shop.err
        [received] = scripted.received
    arrived = tmp_path / "arrived.eml"
    arrived.write_bytes(received.data)
    assert practice.shop.run("doctor", "--signed", arrived, "--nameserver", practice.names.place, "--json") == 0
    found = findings(practice.shop.out)
    assert {f["level"] for f in found} == {"ok", "note"}
    assert "covers all it should" in found[0]["text"]
    assert any("s1._domainkey.acme.example: rsa, 2048 bits" in f["text"] for f in found)

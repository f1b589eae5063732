"""Records that a test of the whole command would hardly meet."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nurture.cli.doctor import records
from nurture.cli.doctor.finding import Finding
from nurture.cli.doctor.policies import Dmarc, Spf

SERVICE = ["8.8.8.8"]


def levels(findings: object) -> list[str]:
    return [f.level for f in findings if isinstance(f, Finding)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("record", "networks", "level"),
    [
        ("v=spf1 ip4:8.8.8.0/24 ~all", ("8.8.8.0/24",), "ok"),
        ("v=spf1 include:service.example ~all", ("9.9.9.0/24",), "note"),
        ("v=spf1 mx -all", ("9.9.9.9",), "warning"),
        ("v=spf1 -all", (), "warning"),
    ],
)
def test_e11_a_mail_service_of_which_spf_has_no_trace_is_looked_at(
    record: str, networks: tuple[str, ...], level: str
) -> None:
    found = Spf(record=record, networks=networks, rest="fail")
    assert levels(records.judge_service("acme.example", found, "smtp.service.example", SERVICE)) == [level]


def test_e11_an_address_that_macros_decide_on_is_only_noted() -> None:
    found = Spf(record="v=spf1 exists:%{i}.acme.example -all", unclear=True, rest="fail")
    assert levels(records.judge_spf("acme.example", found, ["198.51.100.25"])) == ["note", "ok"]


def test_e11_ipv6_addresses_are_compared_with_ipv6_networks() -> None:
    found = Spf(record="v=spf1 …", networks=("10.0.0.0/8", "2001:db8::/32"))
    assert records.covers(found, "2001:db8::25")
    assert not records.covers(found, "2001:db9::25")


def key_record(bits: int) -> str:
    public = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([f"v=DKIM1; p={key_record(1024)}"], "has 1024 bits"),
        (["v=DKIM1; p="], "it was revoked"),
        (["v=DKIM1; k=rsa"], "p= is missing"),
        (["v=DKIM1; p=AAAA"], "no key that can be read"),
        (["v=DKIM1; p=not base64!"], "no key that can be read"),
        ([], "0 TXT records"),
    ],
)
def test_e05_a_key_of_the_mail_server_that_receivers_refuse_is_broken(texts: list[str], words: str) -> None:
    [found] = records.judge_foreign_key("s1", "acme.example", texts)
    assert found.level == "error"
    assert words in found.text
    assert "s1._domainkey.acme.example" in found.text


def test_e05_a_key_of_the_mail_server_with_2048_bits_is_right() -> None:
    [found] = records.judge_foreign_key("s1", "acme.example", [f"v=DKIM1; k=rsa; p={key_record(2048)}"])
    assert (found.level, found.text) == ("ok", "s1._domainkey.acme.example: rsa, 2048 bits")


@pytest.mark.parametrize(
    ("domain", "tags", "policy"),
    [
        ("acme.example", {"p": "reject", "sp": "none"}, "reject"),
        ("news.acme.example", {"p": "reject", "sp": "none"}, "none"),
        ("news.acme.example", {"p": "Reject"}, "reject"),
        ("acme.example", {}, "none"),
    ],
)
def test_e11_a_subdomain_has_the_policy_for_subdomains(domain: str, tags: dict[str, str], policy: str) -> None:
    assert records.policy_of(domain, Dmarc(record="…", location="acme.example", tags=tags)) == policy

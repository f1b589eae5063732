"""Addresses we write to (trust E22) and how they compare (trust C27)."""

from __future__ import annotations

import pytest
from email_validator import EmailSyntaxError

from nurture.lead import address
from nurture.lead.address import AddressRefused, canonical_address, check_address, is_among


@pytest.mark.parametrize(
    ("written", "sent_to"),
    [
        ("anna@gmail.com", "anna@gmail.com"),
        ("  anna@gmail.com ", "anna@gmail.com"),
        ("Anna.Lee+news@Example.COM", "Anna.Lee+news@example.com"),
        ("jo@EXÄMPLE.de", "jo@xn--exmple-cua.de"),
        ("x@localhost", "x@localhost"),
        ("x@shop.test", "x@shop.test"),
        ("mql1@example.com", "mql1@example.com"),
        ("o'brien@mail.example.org", "o'brien@mail.example.org"),
        ("jösé@gmail.com", "jösé@gmail.com"),
    ],
)
def test_e22_a_good_address_is_kept_with_its_domain_as_a_label(written: str, sent_to: str) -> None:
    assert check_address(written) == sent_to


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "anna",
        "@example.com",
        "a@b",
        "a@b.co SIZE=1",
        "a@b.co, x@y.z",
        "a@b.co,x@y.z",
        "a@b.co;x@y.z",
        '"a\r\n"@b.co',
        "a\r\nRCPT TO:<x@y.z>@b.co",
        "a\nb@example.com",
        "a\x00b@example.com",
        "a\u200bb@example.com",
        "a\u202eb@example.com",
        "a\ufeffb@example.com",
        "<a@b.co>",
        "Anna <a@b.co>",
        "a(comment)@b.co",
        "a@[127.0.0.1]",
        '"a b"@b.co',
        "a..b@c.de",
        ".a@c.de",
        "a@c.de.",
        "a@-b.de",
        "a" * 65 + "@c.de",
        "a" * 65 + "@shop.test",
        "a@" + "b" * 64 + ".de",
        "=?utf-8?q?x?=@example.com",
        "a@@example.com",
        "a\\@b.co",
    ],
)
def test_e22_an_address_that_a_server_could_misread_is_refused(hostile: str) -> None:
    assert isinstance(check_address(hostile), AddressRefused)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (" ", "the address is empty"),
        ("a b@c.de", "the address holds a space, a comma or another character mail servers misread"),
        ("=?utf-8?q?x?=@example.com", "the address holds an encoded word"),
        ("a" * 64 + "@" + "a." * 92 + "example", "the address is longer than 254 characters"),
        ("a" * 65 + "@shop.test", "the part before the @ is not valid"),
        ("a@@shop.test", "the part before the @ is not valid"),
    ],
)
def test_e22_a_refusal_says_what_is_wrong_with_the_address(written: str, reason: str) -> None:
    assert check_address(written) == AddressRefused(reason)


LONG = ".".join(["exämple"] * 14) + ".de"  # its A-label is far longer than what was written


@pytest.mark.parametrize("written", ["é" + "a" * 39 + "@" + LONG, "a" * 64 + "@" + "a." * 91 + "example"])
def test_e22_an_address_of_254_octets_is_taken_and_no_longer_one(written: str) -> None:
    sent_to = check_address(written)
    assert isinstance(sent_to, str)
    assert len(sent_to.encode()) == 254
    assert isinstance(check_address(written.replace("@", "@a")), AddressRefused)


def test_e22_the_longest_part_before_the_at_is_taken() -> None:
    assert check_address("a" * 64 + "@shop.test") == "a" * 64 + "@shop.test"


def test_reserved_domains_are_refused_where_only_real_people_are_wanted() -> None:
    assert isinstance(check_address("x@shop.test", test=False), AddressRefused)


def test_x16_a_refusal_does_not_repeat_the_address() -> None:
    refused = check_address("marker-person@exa mple..com")
    assert isinstance(refused, AddressRefused)
    assert "marker-person" not in refused.reason


@pytest.mark.parametrize(
    ("written", "said", "reason"),
    [
        ("bob@shop.com", "The part bob is not valid.", "the address is not valid"),
        ("bob@shop.com", "There is no shop.com.", "the address is not valid"),
        ("b@x", "Nobody writes b@x.", "the address is not valid"),
        ("bob@x@shop.com", "There is no shop.com.", "the address is not valid"),
        ("at@shop.com", "There is nothing at the end.", "there is nothing at the end"),
        ("bob@shop.com", "It Has No MX...", "it Has No MX"),
    ],
)
def test_x16_a_refusal_repeats_none_of_what_the_validator_quotes(
    monkeypatch: pytest.MonkeyPatch, written: str, said: str, reason: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EmailSyntaxError(said)

    monkeypatch.setattr(address, "validate_email", refuse)
    assert check_address(written) == AddressRefused(reason)


@pytest.mark.parametrize(
    ("written", "among"),
    [
        ("anna@example.com", True),
        ("Anna@EXAMPLE.com", True),
        ("bo@staging.example", True),
        ("Bo@Staging.Example", True),
        ("bo@x@staging.example", True),
        ("bo@example.com", False),
        ("anna@staging.example.com", False),
        ("staging.example", True),
        ("anna", False),
    ],
)
def test_r18_a_list_names_addresses_and_domains(written: str, among: bool) -> None:
    assert is_among(written, {"anna@example.com", "staging.example"}) is among


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jo@EXÄMPLE.de", "jo@xn--exmple-cua.de"),
        ("jo@ex\u00adämple.de", "jo@xn--exmple-cua.de"),  # a soft hyphen, which nobody sees
        ('"j@o"@exämple.de', '"j@o"@xn--exmple-cua.de'),
        (" anna@example.com\n", "anna@example.com"),
        ("ANNA@EXAMPLE.COM", "anna@example.com"),
        ("\uff41nna@example.com", "anna@example.com"),  # full-width letter, NFKC
        ("josé@example.com", "jose\u0301@example.com"),
    ],
)
def test_c27_spellings_of_one_mailbox_compare_equal(one: str, other: str) -> None:
    assert canonical_address(one) == canonical_address(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jo+a@example.com", "jo@example.com"), ("j.o@gmail.com", "jo@gmail.com"), ("jo@example.com", "jo@example.org")],
)
def test_c27_tags_and_dots_make_another_mailbox(one: str, other: str) -> None:
    assert canonical_address(one) != canonical_address(other)


def test_c27_a_word_without_an_at_is_left_as_it_is() -> None:
    assert canonical_address("José") == "josé"


@pytest.mark.parametrize("text", ["", "no address", "a@\ud83d\ude00", "x@" + "é" * 300])
def test_c27_what_is_no_address_still_compares_with_itself(text: str) -> None:
    assert canonical_address(canonical_address(text)) == canonical_address(text)

"""One secret list, a key for each use."""

from __future__ import annotations

import pytest

from nurture.errors import UserError
from nurture.lead.keyring import Keyring


def test_a_new_secret_in_front_keeps_every_suppression() -> None:
    assert Keyring(["old"]).address_hash("a@b.example") == Keyring(["new", "old"]).address_hash("A@B.example")


def test_another_oldest_secret_hashes_otherwise() -> None:
    assert Keyring(["old"]).address_hash("a@b.example") != Keyring(["new"]).address_hash("a@b.example")


def test_the_first_signs_and_all_verify() -> None:
    mac = Keyring(["old"]).mac("use", "text")
    assert Keyring(["new", "old"]).verify("use", "text", mac)
    assert Keyring(["new", "old"]).mac("use", "text") == Keyring(["new"]).mac("use", "text")


@pytest.mark.parametrize(("use", "text"), [("other", "text"), ("use", "other")])
def test_a_mac_is_for_one_use_and_one_text(use: str, text: str) -> None:
    keyring = Keyring(["secret"])
    assert not keyring.verify(use, text, keyring.mac("use", "text"))


def test_part_of_a_mac_is_enough_only_where_it_is_asked_for() -> None:
    keyring = Keyring(["secret"])
    part = keyring.mac("use", "text")[:32]
    assert keyring.verify("use", "text", part, length=32)
    assert not keyring.verify("use", "text", part)
    assert not keyring.verify("use", "text", "", length=32)


@pytest.mark.parametrize("secrets", [[], [""], ["a", ""]])
def test_an_empty_secret_is_refused(secrets: list[str]) -> None:
    with pytest.raises(UserError):
        Keyring(secrets)

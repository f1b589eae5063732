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
    with pytest.raises(UserError, match=r"^no secret to sign with$") as refused:
        Keyring(secrets)
    assert refused.value.hint == "set `secrets` in config.yaml"


# What these keys make is stored, in the suppression list, in the ledger and with the receivers of webhooks: a release
# that made something else would write to people who left. So the values stand here as they have always been.
@pytest.fixture
def kept() -> Keyring:
    return Keyring(["first secret", "oldest secret"])


def test_c23_an_address_has_the_same_hash_in_every_release(kept: Keyring) -> None:
    assert kept.address_hash("Anna@Example.com") == "463e68ae86a2a8c6262b9f290c7b76610c548f2099bfaddba32cab0a03cd8375"


def test_c04_a_personal_value_has_the_same_commitment_in_every_release(kept: Keyring) -> None:
    known = "hmac-sha256:08b2f622381ca414c3e0806edfefd6e790c269590f5aa09c2f8155d45a9557e3"
    assert kept.commitment("s1", "192.0.2.1") == known


def test_x12_a_webhooks_secret_is_the_same_in_every_release(kept: Keyring) -> None:
    known = "532ec6c7f44c1a97e2874468a1c415125f7c922121987d595d420a1d895d74c4"
    assert kept.webhook_secret("crm").hex() == known


def test_c23_a_webhooks_receiver_knows_an_address_again_in_every_release(kept: Keyring) -> None:
    known = "5a44ca851d2299c53947428bfad0724a05a050ac7dab8cdd7cf71a284a09970c"
    assert kept.webhook_pseudonym("crm", "Anna@Example.com") == known


def test_x06_a_mac_is_the_same_in_every_release(kept: Keyring) -> None:
    assert kept.mac("link", "text") == "ac6a9ea00aa5f1a638bad8a8952433b7ebd79cac42853dc6a46ceb6dfd5d0d28"


def test_x06_what_is_no_mac_at_all_is_refused_and_not_stumbled_over(kept: Keyring) -> None:
    assert not kept.verify("use", "text", "é\u2028")

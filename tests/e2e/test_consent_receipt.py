"""Consent records and receipts in the terms of the W3C's DPV: exported by a command, taken along by the person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from nurture.engine.confirming import request_of
from tests.e2e.commands import Shop
from tests.e2e.web_world import NOW, Endpoint, hidden, running

# Data Privacy Vocabulary 2.3, w3id.org/dpv, and its extensions: those of its terms that a record may use.
DPV = """
ConsentExpired ConsentGiven ConsentNotice ConsentReceipt ConsentRecord ConsentRefused ConsentRequested ConsentWithdrawn
DataController DataSubject DataSubjectRight DirectMarketing ExplicitlyExpressedConsent ExpressedConsent LegalEntity
PrivacyNotice Process Recipient RenewedConsentGiven ServiceUsageAnalytics StorageDuration StorageLocation
UntilEventDuration UntilTimeDuration WithdrawConsent hasAddress hasApplicableLaw hasConsentControl hasConsentStatus
hasContact hasDataController hasDataSubject hasDuration hasIndicationMethod hasJurisdiction hasLegalBasis hasLocation
hasName hasNotice hasPersonalData hasProcess hasPurpose hasRecipient hasRecordOfActivity hasRight hasStorageCondition
isExercisedAt isIndicatedAtTime isIndicatedBy
"""
TERMS = {
    "https://w3id.org/dpv#": DPV,
    "https://w3id.org/dpv/legal/eu/gdpr#": "A6-1-a A7-3",
    "https://w3id.org/dpv/legal/eu#": "law-GDPR",
    "https://w3id.org/dpv/loc#": "CH FR",
    "https://w3id.org/dpv/pd#": "EmailAddress",
    "http://purl.org/dc/terms/": "conformsTo created description identifier language publisher title",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "value",
    "http://www.w3.org/2001/XMLSchema#": "dateTime",
}
# What the guide to ISO/IEC TS 27560:2023 says a record must hold (w3id.org/dpv/guides/consent-27560).
MUST = (
    *("dct:conformsTo", "dct:identifier", "dpv:hasDataSubject", "dpv:hasDataController", "dpv:hasProcess"),
    *("dpv:hasConsentControl", "dpv:hasNotice", "dpv:hasConsentStatus"),
)


def named(node: Any) -> Iterator[str]:
    """Every key, type and identifier of a document that is not JSON-LD's own or an address of its own."""
    match node:
        case dict():
            for key, value in node.items():
                if key == "@context":
                    continue
                yield from [] if key.startswith("@") else [key]
                yield from ([value] if isinstance(value, str) else value) if key in ("@type", "@id") else named(value)
        case list():
            for each in node:
                yield from named(each)


def unknown(document: dict[str, Any]) -> set[str]:
    """The terms of a document that its vocabularies do not have."""
    full = {f"{space}{term}" for space, terms in TERMS.items() for term in terms.split()}
    wrong = set()
    for name in named(document):
        prefix, _, rest = name.partition(":")
        if prefix not in ("urn", "_", "https"):
            expanded = document["@context"].get(prefix, "") + rest
            wrong |= {name} - ({name} if expanded in full else set())
    return wrong


@pytest.fixture
def shop_live(shop: Shop) -> Shop:
    shop.deploy()
    shop.people("ann")
    return shop


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


async def confirmed(world: Endpoint, who: int) -> tuple[str, str]:
    """The path of a confirmation link after its button was pressed, and the mark of the page."""
    world.say(who, "request", "letter")
    path = world.path(world.links.confirm(who, "letter", request_of(NOW)))
    page = await world.client.get(path)
    answer = await world.client.post(path, data={"form": hidden(page.text), "do": "confirm"})
    return path, hidden(answer.text)


def test_c05_a_record_uses_no_term_that_its_vocabulary_lacks(shop_live: Shop) -> None:
    config = shop_live.root / "config.yaml"
    config.write_text(config.read_text() + "privacy: {stored_in: [FR, CH], notice_url: https://acme.example/privacy}\n")
    assert shop_live.run("consent", "dossier", "ann", "--json-ld") == 0
    assert unknown(json.loads(shop_live.out)) == set()


def test_c05_a_record_holds_what_the_standard_demands(shop_live: Shop) -> None:
    shop_live.run("consent", "dossier", "ann", "--json-ld")
    (record,) = json.loads(shop_live.out)["@graph"]
    assert [field for field in MUST if not record.get(field)] == []


def test_c05_a_record_names_the_profile_for_the_gdpr(shop_live: Shop) -> None:
    shop_live.run("consent", "dossier", "ann", "--json-ld")
    (record,) = json.loads(shop_live.out)["@graph"]
    assert record["dct:conformsTo"] == {"@id": "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"}


def test_c05_a_record_shows_the_wording_that_each_yes_was_given_to(shop_live: Shop) -> None:
    shop_live.run("consent", "dossier", "ann", "--json-ld")
    (record,) = json.loads(shop_live.out)["@graph"]
    shown = {notice["@id"]: notice["dct:description"]["@value"] for notice in record["dpv:hasNotice"]}
    assert [shown[status["dpv:hasNotice"]["@id"]] for status in record["dpv:hasConsentStatus"]] == ["w"]


def test_c05_a_record_does_not_name_the_address(shop_live: Shop) -> None:
    shop_live.run("consent", "dossier", "ann", "--json-ld")
    assert "ann@example.com" not in shop_live.out


def test_c05_what_rests_on_another_basis_is_no_consent_record(shop: Shop) -> None:
    config = shop.root / "config.yaml"
    config.write_text(config.read_text().replace("double_opt_in: false", "basis: soft_opt_in, similar_to: tea"))
    shop.deploy()
    shop.write("map.yaml", MAPPING)
    file = shop.write("leads.csv", "email,id\ncy@example.com,cy\n")
    assert shop.run("import", "leads", file, "--mapping", shop.root / "map.yaml") == 0, shop.err
    shop.run("consent", "dossier", "cy", "--json-ld")
    assert json.loads(shop.out)["@graph"] == []


MAPPING = """\
lead: {email: "{{ row.email }}", external_id: "{{ row.id }}"}
consent: {topic: offers, basis: soft_opt_in, at: 2026-01-01, source: till, wording: w, sale: A-1, sold_at: 2026-01-01,
  objection_offered: "yes"}
"""


async def test_c05_who_confirms_is_handed_a_receipt(world: Endpoint) -> None:
    path, mark = await confirmed(world, world.lead())
    answer = await world.client.post(path, data={"form": mark, "do": "receipt"})
    said = answer.json()
    assert said["@type"] == "dpv:ConsentReceipt"
    states = [status["@type"][0] for status in said["dpv:hasRecordOfActivity"][0]["dpv:hasConsentStatus"]]
    assert states == ["dpv:ConsentRequested", "dpv:ConsentGiven"]


async def test_c05_a_receipt_uses_no_term_that_its_vocabulary_lacks(world: Endpoint) -> None:
    path, mark = await confirmed(world, world.lead())
    answer = await world.client.post(path, data={"form": mark, "do": "receipt"})
    assert unknown(answer.json()) == set()


async def test_c05_a_receipt_is_a_file_to_keep(world: Endpoint) -> None:
    path, mark = await confirmed(world, world.lead())
    answer = await world.client.post(path, data={"form": mark, "do": "receipt"})
    assert answer.headers["content-type"] == "application/ld+json"
    assert answer.headers["content-disposition"] == 'attachment; filename="consent-receipt.jsonld"'


async def test_c05_x08_a_receipt_shows_no_address_and_no_network(world: Endpoint) -> None:
    path, mark = await confirmed(world, world.lead(email="anna@example.com"))
    answer = await world.client.post(path, data={"form": mark, "do": "receipt"})
    assert [word for word in ("anna", "198.51.100.7", "httpx") if word in answer.text] == []


async def test_c05_taking_a_receipt_changes_no_consent(world: Endpoint) -> None:
    who = world.lead()
    path, mark = await confirmed(world, who)
    before = world.entries(who)
    await world.client.post(path, data={"form": mark, "do": "receipt"})
    assert world.entries(who) == before


async def test_c05_there_is_no_receipt_for_what_was_taken_back(world: Endpoint) -> None:
    who = world.lead()
    path, mark = await confirmed(world, who)
    world.say(who, "withdraw", "letter")
    answer = await world.client.post(path, data={"form": mark, "do": "receipt"})
    assert "This link is no longer valid" in answer.text


async def test_c05_x07_a_link_nobody_made_gets_no_receipt(world: Endpoint) -> None:
    answer = await world.client.post("/c/nonsense", data={"do": "receipt"})
    assert "This link is no longer valid" in answer.text

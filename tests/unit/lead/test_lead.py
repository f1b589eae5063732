"""Traits as fields, and values as declared."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from nurture.journey.timing import read_moment
from nurture.lead.event import name_problem
from nurture.lead.lead import SHARDS, shard_of, split_traits, typed


def moment(text: str) -> datetime | None:
    return read_moment(text, "Europe/Paris")


@pytest.mark.parametrize(
    ("shape", "given", "stored"),
    [
        ("number", "12", 12),
        ("number", " -3.50 ", -3.5),
        ("number", 7, 7),
        ("number", "1e400", "1e400"),
        ("number", "12 EUR", "12 EUR"),
        ("number", "٣", "٣"),
        ("number", True, True),
        ("text", 12, "12"),
        ("text", False, "false"),
        ("text", ["a"], ["a"]),
        ("bool", "TRUE", True),
        ("bool", "perhaps", "perhaps"),
        ("date", "2026-03-02", "2026-03-02"),
        ("date", "2026-02-30", "2026-02-30"),
        ("date", "2026-03-02T10:00:00+01:00", "2026-03-02T09:00:00.000000Z"),
        ("date", "2026-03-02T10:00", "2026-03-02T09:00:00.000000Z"),
        ("date", "soon", "soon"),
        ("date", 5, 5),
        ([{"price": "number"}], [{"price": "1"}, "odd"], [{"price": 1}, "odd"]),
        ({"a": {"b": "number"}}, {"a": {"b": "2"}, "c": "3"}, {"a": {"b": 2}, "c": "3"}),
        ({"a": "number"}, None, None),
        ("unheard of", "x", "x"),
    ],
)
def test_a_value_takes_its_declared_type_or_stays(shape: Any, given: Any, stored: Any) -> None:
    found = typed(shape, given, moment)
    assert (found, type(found)) == (stored, type(stored))


def test_reserved_traits_are_built_in_fields_and_the_rest_is_attributes() -> None:
    columns, attributes = split_traits(
        {"firstName": " Anna ", "last_name": "Frunza", "timezone": "Europe/Paris", "x": 1}
    )
    assert columns == {"first_name": "Anna", "last_name": "Frunza", "zone": "Europe/Paris"}
    assert attributes == {"x": 1}


def test_an_empty_field_is_none() -> None:
    assert split_traits({"phone": "", "name": None})[0] == {"phone": None, "name": None}


def test_the_country_may_stand_in_the_postal_address() -> None:
    assert split_traits({"address": {"country": "FR"}})[0] == {"country": "FR"}
    assert split_traits({"address": {"country": "FR"}, "country": "RO"})[0] == {"country": "RO"}


def test_ids_and_dates_of_ours_are_not_a_callers_to_set() -> None:
    assert split_traits({"id": 5, "created_at": "2020-01-01", "account_id": 1, "restricted": True}) == ({}, {})


def test_shards_are_even() -> None:
    counts = Counter(shard_of(lead) for lead in range(1, 64_001))
    assert set(counts) == set(range(SHARDS))
    assert max(counts.values()) < 1.1 * min(counts.values())


@pytest.mark.parametrize("name", ["", "  ", "consent.granted", "x" * 201])
def test_event_names_that_are_not_a_callers(name: str) -> None:
    assert name_problem(name)


def test_any_other_event_name_is_fine() -> None:
    assert name_problem("Order Completed") is None

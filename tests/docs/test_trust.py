"""Every promise has a test, every test's number is a promise's, and the page says so."""

from __future__ import annotations

import pytest

from tests.docs import trust

ITEMS = {item.name: item for _, items in trust.sections().values() for item in items}


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if item.must])
def test_a_must_has_a_test(name: str) -> None:
    assert trust.proofs()[name], f"no test is named test_{name.lower()}_…: {ITEMS[name].promise}"


def test_a_test_carries_no_number_that_is_no_promise() -> None:
    assert set(trust.proofs()) <= set(ITEMS)


@pytest.mark.parametrize("name", ITEMS)
def test_a_promise_is_cited_where_it_is_kept(name: str) -> None:
    assert trust.keepers()[name], f"no module cites {name}: {ITEMS[name].promise}"


def test_the_page_of_trust_is_as_the_tests_have_it() -> None:
    assert trust.PAGE.read_text() == trust.page(), "run 'make docs'"

"""The pages of the reference that are written from the program say what the program says."""

from __future__ import annotations

import pytest

from nurture.cli.reference import pages
from tests.docs.pages import DOCS


@pytest.mark.parametrize("name", pages())
def test_a_written_page_is_as_the_program_has_it(name: str) -> None:
    assert (DOCS / "reference" / name).read_text() == pages()[name], "run 'make docs'"

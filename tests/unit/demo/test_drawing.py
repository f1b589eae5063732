"""Pictures drawn as tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.demo.drawing import PICTURES, as_table

SHIPPED = Path(__file__).parents[3] / "templates" / "_art"


def test_stitches_of_one_colour_side_by_side_become_one_cell() -> None:
    table = as_table("rr.\nr.g", 5)
    assert '<td colspan="2" bgcolor="#b3382c"></td><td></td>' in table
    assert '<td bgcolor="#b3382c"></td><td></td><td bgcolor="#2f5d50"></td>' in table


def test_a_table_is_as_wide_as_its_stitches() -> None:
    assert 'width="15"' in as_table("rr.\nr.g", 5)


def test_rows_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        as_table("rr\nr", 5)


def test_a_letter_that_is_no_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="'z' is no thread"):
        as_table("rz", 5)


@pytest.mark.parametrize("name", PICTURES)
def test_every_row_of_a_picture_covers_its_whole_width(name: str) -> None:
    stitch_px, picture = PICTURES[name]
    width = len(picture.split()[0])
    for row in re.findall(r'<tr height="[1-9]\d*">(.*?)</tr>', as_table(picture, stitch_px)):
        cells = re.findall(r"<td(?: colspan=\"(\d+)\")?", row)
        assert sum(int(span or 1) for span in cells) == width


@pytest.mark.parametrize("name", PICTURES)
def test_the_shipped_picture_is_the_drawn_one(name: str) -> None:
    stitch_px, picture = PICTURES[name]
    assert (SHIPPED / f"{name}.html").read_text(encoding="utf-8") == as_table(picture, stitch_px)

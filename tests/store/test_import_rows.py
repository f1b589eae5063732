from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nurture.engine.rows import delimiter_of, open_table
from nurture.errors import UserError


def read(tmp_path: Path, data: bytes, name: str = "file.csv") -> list[tuple[int, object]]:
    path = tmp_path / name
    path.write_bytes(data)
    with open_table(path) as table:
        return [(r.line, r.row if r.refused is None else r.refused) for r in table.records()]


def test_a_record_is_a_row_by_column(tmp_path: Path) -> None:
    assert read(tmp_path, b"id,name\n1,Anna\n") == [(2, {"id": "1", "name": "Anna"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_of_the_header(delimiter: str) -> None:
    assert delimiter_of(delimiter.join(["id", "name", '"a,b;c,d"'])) == delimiter


def test_x15_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfid\n1\n") == [(2, {"id": "1"})]


@pytest.mark.parametrize(("record", "fields"), [(b"1", 1), (b"1,2,3", 3)])
def test_a_record_with_another_number_of_fields_is_refused(tmp_path: Path, record: bytes, fields: int) -> None:
    assert read(tmp_path, b"id,name\n" + record + b"\n") == [(2, f"it has {fields} fields, the header has 2")]


def test_a_refused_record_stops_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"id,name\n1\n2,Bo\n")[1] == (3, {"id": "2", "name": "Bo"})


def test_x15_a_nul_costs_its_own_record_only(tmp_path: Path) -> None:
    assert read(tmp_path, b"id\n1\0\n2\n") == [(2, "it holds a NUL character"), (3, {"id": "2"})]


def test_bytes_that_are_not_utf8_cost_their_own_record_only(tmp_path: Path) -> None:
    assert read(tmp_path, b"id\n\xe9t\xe9\n2\n") == [(2, "it is not UTF-8 text"), (3, {"id": "2"})]


def test_a_line_number_counts_lines_inside_quotes(tmp_path: Path) -> None:
    assert [line for line, _ in read(tmp_path, b'id\n"a\nb"\nc\n')] == [2, 4]


def test_empty_lines_are_no_records(tmp_path: Path) -> None:
    assert read(tmp_path, b"id,n\n\n1,2\n\n") == [(3, {"id": "1", "n": "2"})]


def test_text_after_a_closing_quote_is_refused_not_repaired(tmp_path: Path) -> None:
    ((_, reason), kept) = read(tmp_path, b'id\n"a"b\nc\n')
    assert str(reason).startswith("it cannot be read")
    assert kept == (3, {"id": "c"})


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    ((line, reason),) = read(tmp_path, b'id\n"a\nb\n')
    assert (line, str(reason)[:17]) == (2, "it cannot be read")


def test_gzip_is_read_as_what_is_inside(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"id\n1\n"), "file.csv.gz") == [(2, {"id": "1"})]


def test_a_cut_off_gzip_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a whole gzip file"):
        read(tmp_path, gzip.compress(b"id\n" + b"123456789\n" * 9999)[:-20], "file.csv.gz")


def test_json_lines_are_rows(tmp_path: Path) -> None:
    data = b'{"id": 1, "tags": ["a"]}\n\n[1]\n{"id"\n'
    found = read(tmp_path, data, "file.jsonl")
    assert found[0] == (1, {"id": 1, "tags": ["a"]})
    assert found[1] == (3, "it is not a JSON object")
    assert str(found[2][1]).startswith("it is not JSON")


def test_a_column_named_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'id' twice"):
        read(tmp_path, b"id,id\n1,2\n")


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no header"):
        read(tmp_path, b"")


def test_x15_too_many_columns_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2000 columns"):
        read(tmp_path, ",".join(map(str, range(2000))).encode() + b"\n")


def test_x15_a_line_without_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 2 of .* is longer"):
        read(tmp_path, b"id\n" + b"x" * 1_200_000)


@pytest.mark.parametrize("data", [b"\xff\xfei\0d\0", b"PK\x03\x04"])
def test_x15_another_kind_of_file_is_told_plainly(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UserError, match=r"UTF-16|spreadsheet"):
        read(tmp_path, data)


def test_a_missing_file_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"), open_table(tmp_path / "nope.csv"):
        pass

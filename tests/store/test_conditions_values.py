"""One table of (value, test, expected) for both databases: what a test on a property answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nurture.campaign.condition import Field, FieldType, Moment, Not, Op, Relative, Test
from nurture.campaign.duration import read_duration
from nurture.store.conditions import Row, ask
from nurture.store.database import Database
from nurture.store.types import instant_text
from tests.store.people import DAY, NOW, ZONE, World

MISSING = object()


def relative(text: str) -> Relative:
    found = read_duration(text)
    assert found is not None
    return Relative(found)


def instant(*parts: int) -> str:
    return instant_text(datetime(*parts, tzinfo=UTC))


Case = tuple[Any, Op, Any, bool]

TEXT: list[Case] = [
    ("FR", "is", "FR", True),
    ("FR", "is", "fr", False),
    ("FR", "is_not", "CH", True),
    ("FR", "is_not", "FR", False),
    ("FR", "in", ("CH", "FR"), True),
    ("FR", "in", ("CH", "DE"), False),
    ("FR", "in", (), False),
    ("FR", "not_in", ("CH", "DE"), True),
    ("FR", "not_in", ("FR",), False),
    ("b", "at_least", "b", True),
    ("b", "more_than", "b", False),
    ("b", "less_than", "c", True),
    ("b", "at_most", "a", False),
    ("b", "between", ("a", "b"), True),
    ("Z", "less_than", "a", True),  # by code points, not by a language
    ("é", "more_than", "z", True),
    ("FR", "set", True, True),
    ("FR", "set", False, False),
    ("", "set", True, True),
    ("it's 100%", "is", "it's 100%", True),
    ("a:b", "is", "a:b", True),
    (17, "is", "17", True),  # keys and codes compare as text
    (17.5, "is", "17.5", True),
    (True, "is", "true", True),
    (17, "in", ("16", "17"), True),
    ({"a": 1}, "is", '{"a":1}', False),
    ([1], "is", "[1]", False),
    ({"a": 1}, "set", True, True),
]

FOLDED: list[Case] = [
    ("École Supérieure", "contains", "éCOLE", True),
    ("ȘTEFAN", "starts_with", "șt", True),
    ("brașov", "ends_with", "ȘOV", True),
    ("İstanbul", "starts_with", "i̇s", True),
    ("İstanbul", "contains", "İSTANBUL", True),
    ("istanbul", "contains", "İ", False),
    ("Straße", "contains", "STRASSE", False),
    ("STRAẞE", "ends_with", "straße", True),
    ("ΟΔΟΣ", "ends_with", "ος", True),
    ("abc", "contains", "", True),
    ("abc", "starts_with", "", True),
    ("abc", "ends_with", "", True),
    ("", "ends_with", "", True),
    ("bc", "ends_with", "abc", False),
    ("c", "ends_with", "ac", False),
    ("abc", "starts_with", "abcd", False),
    ("50%_off", "contains", "%_O", True),
    ("50 off", "contains", "%", False),
    ("a\\b", "contains", "\\", True),
    (1234, "starts_with", "12", True),
    ([1234], "contains", "12", False),
]

NUMBERS: list[Case] = [
    (30, "at_least", 30, True),
    (29.99, "at_least", 30, False),
    (30, "more_than", 30, False),
    (30, "less_than", 30.5, True),
    (30, "at_most", 29, False),
    (30.0, "is", 30, True),
    (30, "is_not", 31, True),
    (30, "in", (29, 30), True),
    (30, "not_in", (29, 30), False),
    (30, "between", (30, 40), True),
    (40, "between", (30, 40), True),
    (41, "between", (30, 40), False),
    (0.1, "is", 0.1, True),
    (-5, "less_than", 0, True),
    (9007199254740993, "more_than", 9007199254740992, True),
    ("30", "at_least", 30, False),  # dirty: a text is no number
    ("abc", "at_least", 0, False),
    ("abc", "less_than", 1, False),
    ("", "at_most", 1, False),
    (True, "is", 1, False),
    ([30], "is", 30, False),
    ("30", "is_not", 30, True),
    ("30", "not_in", (30,), True),
]

BOOLEANS: list[Case] = [
    (True, "is", True, True),
    (True, "is", False, False),
    (False, "is", False, True),
    (False, "is", True, False),
    (False, "is_not", True, True),
    (False, "set", True, True),
    ("true", "is", True, False),
    (1, "is", True, False),
    (0, "is", False, False),
    (True, "in", (True, False), True),
]

# Now is Tuesday 2026-03-10 12:00 UTC, 13:00 in Paris.
DAYS: list[Case] = [
    ("2026-03-10", "is", Moment("2026-03-10"), True),
    ("2026-03-10", "before", Moment("2026-03-10"), False),
    ("2026-03-09", "before", Moment("2026-03-10"), True),
    ("2026-03-10", "after", Moment("2026-03-10"), False),
    ("2026-03-11", "after", Moment("2026-03-10"), True),
    ("2026-03-10", "between", (Moment("2026-03-10"), Moment("2026-03-12")), True),
    ("2026-03-12", "between", (Moment("2026-03-10"), Moment("2026-03-12")), True),
    ("2026-03-10", "at_least", "2026-03-10", True),
    ("2026-03-10", "is_not", "2026-03-10", False),
    ("2026-03-10", "before", Moment("2026-03-10T15:00"), False),
    ("2026-03-09", "before", relative("0h"), True),
    ("2026-03-10", "before", relative("0h"), False),
    ("2026-03-08", "before", relative("-1d"), True),
    ("2026-03-12", "after", relative("1d"), True),
    ("2026-03-10", "in_last", relative("1d"), True),
    ("2026-03-09", "in_last", relative("1d"), True),
    ("2026-03-08", "in_last", relative("1d"), False),
    ("2026-03-11", "in_last", relative("1d"), False),
    ("2026-03-10", "in_next", relative("7d"), True),
    ("2026-03-17", "in_next", relative("7d"), True),
    ("2026-03-18", "in_next", relative("7d"), False),
    ("2026-03-09", "in_next", relative("7d"), False),
    ("1990-03-10", "anniversary_in", relative("7d"), True),
    ("1990-03-17", "anniversary_in", relative("7d"), True),
    ("1990-03-18", "anniversary_in", relative("7d"), False),
    ("1990-03-09", "anniversary_in", relative("7d"), False),
    ("1990-01-02", "anniversary_in", relative("300d"), True),
    ("1990-01-09", "anniversary_in", relative("300d"), False),
    ("1990-03-09", "anniversary_in", relative("1y"), True),
    ("2026-03-12", "anniversary_in", relative("7d"), False),  # the day itself is no anniversary
    ("2026-3-10", "is", Moment("2026-03-10"), False),  # dirty
    ("soon", "after", Moment("2026-03-10"), False),
    ("soon", "in_next", relative("7d"), False),
    ("soon", "anniversary_in", relative("7d"), False),
    ("99", "after", Moment("2026-03-10"), False),
    (20260310, "is", Moment("2026-03-10"), False),
    (True, "before", relative("1d"), False),
    ("soon", "is_not", Moment("2026-03-10"), True),
]

INSTANTS: list[Case] = [
    (instant(2026, 3, 10, 12), "is", Moment("2026-03-10T13:00"), True),
    (instant(2026, 3, 10, 12), "is", Moment("2026-03-10T12:00Z"), True),
    (instant(2026, 3, 9, 23), "is", Moment("2026-03-10"), True),  # midnight in Paris
    (instant(2026, 3, 9, 22, 59), "is", Moment("2026-03-10"), False),
    (instant(2026, 3, 9, 22, 59), "before", Moment("2026-03-10"), True),
    (instant(2026, 3, 10, 22, 59), "after", Moment("2026-03-10"), False),
    (instant(2026, 3, 10, 23), "after", Moment("2026-03-10"), True),
    (instant(2026, 3, 10, 22, 59), "at_most", Moment("2026-03-10"), True),
    (instant(2026, 3, 10, 23), "at_most", Moment("2026-03-10"), False),
    (instant(2026, 3, 10, 11), "before", relative("0h"), True),
    (instant(2026, 3, 10, 12), "before", relative("0h"), False),
    (instant(2026, 3, 10, 12), "in_last", relative("2h"), True),
    (instant(2026, 3, 10, 10), "in_last", relative("2h"), False),  # (now - 2h, now]
    (instant(2026, 3, 10, 10, 1), "in_last", relative("2h"), True),
    (instant(2026, 3, 10, 14), "in_next", relative("2h"), True),
    (instant(2026, 3, 10, 14, 1), "in_next", relative("2h"), False),
    (instant(2025, 3, 12, 9), "anniversary_in", relative("7d"), True),
    (instant(2025, 3, 18, 9), "anniversary_in", relative("7d"), False),
    ("2026-03-10T12:00:00+01:00", "before", Moment("2027-01-01"), False),  # not as instants are stored
]


def check(db: Database, cases: list[Case], type: FieldType) -> None:
    """Ask all of them in one statement, as a batch would, so that a dirty value may try to break the others."""
    world = World(db)
    fields = [Field("lead", ("plan", "value"), (Test(op, given),), type) for _, op, given, _ in cases]
    leads = [world.lead(plan={"value": value}) for value, *_ in cases]
    with db.read() as tx:
        answers = ask(tx, world.project, fields, [Row(lead, NOW, ZONE) for lead in leads])
    wrong = [case for i, case in enumerate(cases) if answers[i][i] is not case[3]]
    assert wrong == []


def test_texts_compare_as_they_are_written(db: Database) -> None:
    check(db, TEXT, "text")


def test_parts_of_texts_fold_case_alike_for_all_of_unicode(db: Database) -> None:
    check(db, FOLDED, "text")


def test_numbers_compare_as_numbers_only_where_both_are(db: Database) -> None:
    check(db, NUMBERS, "number")


def test_booleans_are_neither_texts_nor_numbers(db: Database) -> None:
    check(db, BOOLEANS, "bool")


def test_a_date_without_a_time_is_a_day_of_the_lead(db: Database) -> None:
    check(db, DAYS, "date")


def test_instants_compare_as_instants_and_days_as_bounds_are_whole(db: Database) -> None:
    check(db, INSTANTS, "date")


ON_NOTHING: list[tuple[Op, Any, bool]] = [
    ("is", "x", False),
    ("is", 1, False),
    ("is", True, False),
    ("is", False, False),
    ("is", Moment("2026-03-10"), False),
    ("in", ("x", "y"), False),
    ("in", (1, 2), False),
    ("at_least", 1, False),
    ("at_most", 1, False),
    ("more_than", "a", False),
    ("less_than", "z", False),
    ("between", (1, 2), False),
    ("contains", "", False),
    ("starts_with", "", False),
    ("ends_with", "", False),
    ("before", Moment("2030-01-01"), False),
    ("after", relative("-1d"), False),
    ("in_last", relative("30d"), False),
    ("in_next", relative("30d"), False),
    ("anniversary_in", relative("1y"), False),
    ("set", True, False),
    ("set", False, True),
    ("is_not", "x", True),
    ("is_not", 1, True),
    ("is_not", Moment("2026-03-10"), True),
    ("not_in", ("x",), True),
    ("not_in", (1,), True),
]


@pytest.mark.parametrize(
    "path", [("nothing",), ("nil",), ("nil", "deeper"), ("text", "deeper"), ("country",), ('q"q',)]
)
def test_a_missing_value_fails_every_test_but_the_negative_ones(db: Database, path: tuple[str, ...]) -> None:
    world = World(db)
    lead = world.lead(nil=None, text="x")
    fields = [Field("lead", path, (Test(op, given),)) for op, given, _ in ON_NOTHING]
    with db.read() as tx:
        answers = ask(tx, world.project, fields, [Row(lead, NOW, ZONE)])[0]
    assert list(zip(ON_NOTHING, answers, strict=True)) == [(case, case[2]) for case in ON_NOTHING]


def test_not_is_the_plain_opposite_also_where_the_value_is_missing(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    fields = [Not(Field("lead", ("nothing",), (Test(op, given),))) for op, given, _ in ON_NOTHING]
    with db.read() as tx:
        answers = ask(tx, world.project, fields, [Row(lead, NOW, ZONE)])[0]
    assert list(answers) == [not expected for *_, expected in ON_NOTHING]


def test_a_created_at_column_answers_like_an_instant(db: Database) -> None:
    world = World(db)
    lead = world.lead(created_at=NOW - 3 * DAY)
    tests: list[tuple[Op, Any, bool]] = [
        ("in_last", relative("3d"), False),
        ("in_last", relative("4d"), True),
        ("before", relative("-2d"), True),
        ("after", relative("-4d"), True),
        ("before", relative("-3d"), False),
        ("is", Moment("2026-03-07"), True),
        ("after", Moment("2026-03-07"), False),
        ("at_most", Moment("2026-03-07"), True),
        ("between", (Moment("2026-03-01"), Moment("2026-03-07")), True),
        ("in_next", relative("7d"), False),
        ("set", True, True),
    ]
    for op, given, expected in tests:
        assert world.holds(Field("lead", ("created_at",), (Test(op, given),), "date"), lead) is expected, (op, given)
    year_ago = world.lead(created_at=datetime(2024, 3, 12, 9, tzinfo=UTC))
    assert world.holds(Field("lead", ("created_at",), (Test("anniversary_in", relative("3d")),), "date"), year_ago)


def test_a_birthday_on_29_february_is_the_28th_in_other_years(db: Database) -> None:
    world = World(db)
    lead = world.lead(birthday="2000-02-29")
    soon = Field("lead", ("birthday",), (Test("anniversary_in", relative("1d")),), "date")

    def on(*day: int) -> bool:
        return world.holds(soon, lead, as_of=datetime(*day, 12, tzinfo=UTC))

    assert [on(2026, 2, 26), on(2026, 2, 27), on(2026, 2, 28), on(2026, 3, 1)] == [False, True, True, False]
    assert [on(2028, 2, 27), on(2028, 2, 28), on(2028, 2, 29), on(2028, 3, 1)] == [False, True, True, False]


def test_days_are_days_of_the_zone_of_the_lead(db: Database) -> None:
    world = World(db)
    lead = world.lead(renewal="2026-03-11")
    today = Field("lead", ("renewal",), (Test("in_next", relative("0h")),), "date")
    late = datetime(2026, 3, 10, 20, tzinfo=UTC)
    assert world.holds(today, lead, as_of=late, zone="Asia/Tokyo")
    assert not world.holds(today, lead, as_of=late, zone="Europe/Paris")


def test_any_element_of_a_list_must_pass_all_tests_itself(db: Database) -> None:
    world = World(db)
    lead = world.lead(items=[{"category": "camera", "price": 10}, {"category": "bag", "price": 900}, 5, None, "x"])

    def any_item(**wanted: Test) -> Field:
        element = tuple(Field("element", (name,), (test,)) for name, test in wanted.items())
        return Field("lead", ("items",), (Test("any", element=element),), "list")

    assert world.holds(any_item(category=Test("is", "camera")), lead)
    assert world.holds(any_item(category=Test("is", "bag"), price=Test("more_than", 500)), lead)
    assert not world.holds(any_item(category=Test("is", "camera"), price=Test("more_than", 500)), lead)
    assert not world.holds(any_item(category=Test("is", "lens")), lead)


@pytest.mark.parametrize("value", [None, "camera", 5, True, {"category": "camera"}, []])
def test_any_holds_for_nothing_that_is_no_list(db: Database, value: Any) -> None:
    world = World(db)
    lead = world.lead(items=value)
    element = (Field("element", ("category",), (Test("is", "camera"),)),)
    assert not world.holds(Field("lead", ("items",), (Test("any", element=element),), "list"), lead)


def test_lists_of_lists_and_plain_elements_can_be_tested(db: Database) -> None:
    world = World(db)
    lead = world.lead(orders=[{"items": [{"sku": "a 1"}]}, {"items": [{"sku": "b.2"}]}], interests=["Ski", "mail"])
    inner = Field("element", ("items",), (Test("any", element=(Field("element", ("sku",), (Test("is", "b.2"),)),)),))
    assert world.holds(Field("lead", ("orders",), (Test("any", element=(inner,)),), "list"), lead)
    plain = (Field("element", (), (Test("is", "mail"),)),)
    assert world.holds(Field("lead", ("interests",), (Test("any", element=plain),), "list"), lead)
    assert world.holds(Field("lead", ("interests",), (Test("contains", "SKI"),), "list"), lead)
    assert not world.holds(Field("lead", ("interests",), (Test("contains", "sk"),), "list"), lead)


def test_names_with_dots_spaces_and_digits_are_names(db: Database) -> None:
    world = World(db)
    lead = world.lead(**{"a b": {"c.d": 1}, "0": "zero", "list": ["first"]})
    assert world.holds(Field("lead", ("a b", "c.d"), (Test("is", 1),)), lead)
    assert world.holds(Field("lead", ("0",), (Test("is", "zero"),)), lead)
    assert not world.holds(Field("lead", ("list", "0"), (Test("set", True),)), lead)


def test_a_number_too_large_for_a_double_breaks_nothing(db: Database) -> None:
    world = World(db)
    lead = world.lead(total=0)
    with db.write() as tx:
        tx.exec_driver_sql("""UPDATE leads SET attributes = '{"total": 1e400}'""")
    assert world.holds(Field("lead", ("total",), (Test("more_than", 1.5),), "number"), lead)

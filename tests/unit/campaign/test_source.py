from __future__ import annotations

import time
import tracemalloc

import pytest

from nurture.campaign.source import (
    MAX_BYTES,
    Findings,
    Mapping,
    Node,
    Scalar,
    Sequence,
    decode,
    expand,
    placeholders,
    read_tree,
)


def read(text: str) -> tuple[Node | None, Findings]:
    findings = Findings()
    return read_tree("c.yaml", text, findings), findings


def words(node: Node | None) -> object:
    match node:
        case Mapping(entries=entries):
            return {key.text: words(value) for key, value in entries}
        case Sequence(items=items):
            return [words(item) for item in items]
        case Scalar(text=text):
            return text
    return None


@pytest.mark.parametrize("word", ["9:30", "10:30", "NO", "010", "on", "0x1F", "1_000", "~", "2026-03-02", ".5", "yes"])
def test_a_scalar_is_the_text_it_looks_like(word: str) -> None:
    assert words(read(f"key: {word}")[0]) == {"key": word}


def test_lines_and_columns_count_from_one() -> None:
    tree, _ = read("a: 1\nb:\n  - éé: word\n")
    assert isinstance(tree, Mapping)
    inner = tree.entries[1][1]
    assert isinstance(inner, Sequence)
    assert isinstance(inner.items[0], Mapping)
    key, value = inner.items[0].entries[0]
    assert (key.mark.line, key.mark.column, key.mark.width) == (3, 5, 2)
    assert (value.mark.line, value.mark.column, value.mark.width) == (3, 9, 4)


def test_a_byte_order_mark_moves_no_column() -> None:
    tree, _ = read("\ufeffa: b")
    assert isinstance(tree, Mapping)
    assert tree.entries[0][0].mark.column == 1


def test_an_alias_repeats_what_was_anchored() -> None:
    assert words(read("a: &x {t: 1}\nb: *x")[0]) == {"a": {"t": "1"}, "b": {"t": "1"}}


def test_the_first_of_repeated_keys_counts_and_the_second_is_a_problem() -> None:
    tree, findings = read("a: 1\na: 2")
    assert words(tree) == {"a": "1"}
    assert [(p.code, p.mark.line) for p in findings.problems] == [("N105", 2)]


BILLION = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
)
BOMBS = {
    "three thousand lists": ("[" * 3000, "N103"),
    "three thousand mappings": ("{a: " * 3000, "N103"),
    "indented too deep": ("\n".join(" " * n + f"k{n}:" for n in range(200)), "N103"),
    "a billion laughs": (BILLION, "N104"),
    "an anchor in itself": ("&a [*a]", "N104"),
    "an anchor in itself by way of a mapping": ("&a {b: {c: *a}}", "N104"),
    "too many aliases": ("a: &a 1\nb: [" + ", ".join(["*a"] * 101) + "]", "N104"),
    "aliases that deepen": (
        "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)),
        "N104",
    ),
    "two megabytes": ("a: " + "x" * 2 * MAX_BYTES, "N102"),
    "a control character": ("a: \x00", "N107"),
    "half a character": ("a: \ud800", "N107"),
    "a Python object": ("a: !!python/object/apply:os.system [ls]", "N109"),
    "a second document": ("a: 1\n---\nb: 2", "N108"),
    "an anchor nobody wrote": ("a: *nothing", "N101"),
    "an open bracket": ("a: [1, 2", "N101"),
    "a tab": ("\ta: 1", "N101"),
    "a list as a key": ("[a, b]: c", "N106"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_x14_a_hostile_file_is_a_problem_with_its_place_and_costs_little(name: str) -> None:
    text, code = BOMBS[name]
    tracemalloc.start()
    began = time.perf_counter()
    _, findings = read(text)
    took = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [p.code for p in findings.problems] == [code]
    assert findings.problems[0].mark.file == "c.yaml"
    assert took < 2  # under 100 ms without the memory tracer
    assert peak < 100_000_000


def test_bytes_that_are_no_text_are_a_problem_at_their_line() -> None:
    findings = Findings()
    assert decode("c.yaml", b"a: 1\nb: \xff", findings) is None
    assert [(p.code, p.mark.line) for p in findings.problems] == [("N107", 2)]


def test_more_bytes_than_a_megabyte_are_a_problem() -> None:
    findings = Findings()
    assert decode("c.yaml", b"x" * (MAX_BYTES + 1), findings) is None
    assert [p.code for p in findings.problems] == ["N102"]


def test_a_terminal_obeys_no_file() -> None:
    _, findings = read('a: "x"\na: "\x1b[2J"\n')
    assert "\x1b" not in str(findings.problems[0])


def test_the_same_finding_is_said_once() -> None:
    _, findings = read("a: 1\na: 2")
    findings.add(findings.problems[0].mark, "N105", findings.problems[0].message)
    assert len(findings.problems) == 1


def test_placeholders_are_put_in_and_the_raw_word_is_kept() -> None:
    tree, _ = read("a: {b: ['x${ONE}y', '${TWO}']}")
    assert tree is not None
    assert [name for name, _ in placeholders(tree)] == ["ONE", "TWO"]
    full = expand(tree, {"ONE": "1"})
    assert words(full) == {"a": {"b": ["x1y", "${TWO}"]}}
    scalar = full.get("a").get("b").items[0]  # type: ignore[union-attr]
    assert scalar.raw == "x${ONE}y"

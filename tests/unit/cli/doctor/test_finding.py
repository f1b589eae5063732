"""Each finding says what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nurture.cli.doctor


def bad_news() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the doctor's modules that makes a warning or an error."""
    for file in sorted(Path(str(nurture.cli.doctor.__file__)).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="look" | "broken" | "failed")):
                    yield f"{file.name}:{node.lineno}", node


def empty(hint: ast.expr) -> bool:
    match hint:
        case ast.Constant(value=value):
            return not value
        case ast.BoolOp(values=[*_, last]):
            return empty(last)
    return False


def test_e11_every_warning_and_error_of_the_doctor_says_what_to_do() -> None:
    calls = list(bad_news())
    assert len(calls) > 40
    assert [place for place, call in calls if call.args and empty(call.args[-1])] == []
    assert [place for place, call in calls if not _whole(call)] == []


def _whole(call: ast.Call) -> bool:
    """Topic, text and hint; a starred argument stands for the last two."""
    return len(call.args) == 3 or any(isinstance(argument, ast.Starred) for argument in call.args)

"""The reference of codes says all that the program says, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_every_code_is_in_the_reference_and_every_code_there_exists() -> None:
    said = {
        code
        for path in (REPOSITORY / "nurture").rglob("*.py")
        for code in re.findall(r'"(N[1-7]\d\d)"', path.read_text("utf-8"))
    }
    reference = (REPOSITORY / "docs" / "reference" / "problems.md").read_text("utf-8")
    listed = re.findall(r"^\| (N\d{3}) \|", reference, re.MULTILINE)
    assert set(listed) == said
    assert listed == sorted(set(listed))

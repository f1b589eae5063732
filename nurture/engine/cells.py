"""Cells of tables that people open in a spreadsheet (ASVS 5 §1.2.10, CWE-1236; trust X15)."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def plain_cell(text: str) -> str:
    """The text, with a `'` in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text

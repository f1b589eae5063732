"""The outcome of campaign tests as JUnit XML, the form that CI systems read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree

# XML 1.0 §2.2 has no way to write these, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One test: where it is written, how long it took in seconds, what was wrong (empty: it passed)."""

    campaign: str
    name: str
    file: str
    line: int
    seconds: float
    differences: tuple[str, ...] = ()


def junit(cases: Iterable[Case]) -> bytes:
    """A document with one suite a campaign, in the order of the cases."""
    root = ElementTree.Element("testsuites", name="nurture")
    total: list[Case] = []
    for campaign, group in groupby(cases, key=lambda case: case.campaign):
        inside = list(group)
        total += inside
        suite = ElementTree.SubElement(root, "testsuite", {"name": _text(campaign), **_counts(inside)})
        for case in inside:
            _write(suite, case)
    root.attrib.update(_counts(total))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _write(suite: ElementTree.Element, case: Case) -> None:
    attributes = {"classname": case.campaign, "name": case.name, "file": case.file, "line": str(case.line)}
    made = ElementTree.SubElement(suite, "testcase", {name: _text(value) for name, value in attributes.items()})
    made.set("time", f"{case.seconds:.3f}")
    if case.differences:
        failure = ElementTree.SubElement(made, "failure", message=_text(case.differences[0]))
        failure.text = _text("\n".join((f"{case.file}:{case.line}", *case.differences)))


def _counts(cases: list[Case]) -> dict[str, str]:
    failed = sum(bool(case.differences) for case in cases)
    seconds = sum(case.seconds for case in cases)
    return {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}


def _text(value: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value)

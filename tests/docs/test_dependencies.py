"""What is imported is declared, what is declared is used, the lock holds hashes and no addresses; what it
installs is listed and audited (trust X21)."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
# Used without an import of ours: by uvicorn, zoneinfo, Starlette's forms, the database's address.
UNSEEN = {"httptools", "uvloop", "tzdata", "python-multipart", "psycopg"}


def plain(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def imported(folder: str) -> set[str]:
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found.update(_roots(node))
    return found - set(sys.stdlib_module_names) - {"nurture", "tests"}


def _roots(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module.split(".")[0]]
    return []


def distributions(modules: Iterable[str]) -> set[str]:
    known = packages_distributions()
    return {plain(known[module][0]) if module in known else module for module in modules}


CORE = {plain(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = {plain(r) for name in ("postgres", "mjml", "doctor") for r in PROJECT["optional-dependencies"][name]}


def test_what_the_package_imports_is_declared() -> None:
    assert distributions(imported("nurture")) - CORE - EXTRAS == set()


def test_what_is_declared_is_used() -> None:
    assert CORE - distributions(imported("nurture")) - UNSEEN == set()


def test_x21_the_lock_names_every_dependency_with_its_hashes() -> None:
    locked = {plain(line) for line in LOCK.splitlines() if re.match(r"[a-z]", line)}
    wanted = {plain(r) for group in PROJECT["optional-dependencies"].values() for r in group} | CORE
    assert wanted - locked - {"nurture"} == set()
    entries = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_x21_the_lock_holds_no_address() -> None:
    assert "://" not in LOCK
    assert "index-url" not in LOCK
    assert not Path(ROOT / "uv.lock").exists() or "uv.lock" in (ROOT / ".gitignore").read_text()


# --- `make sbom` and `make audit`


def test_x21_the_bill_of_materials_lists_exactly_what_the_lock_does() -> None:
    bill = runpy.run_path(str(ROOT / ".ci" / "sbom.py"))["bill"](LOCK, PROJECT)
    locked = [line.split()[0] for line in LOCK.splitlines() if line[:1].isalnum()]
    assert [f"{each['name']}=={each['version']}" for each in bill["components"]] == locked
    hashes = {f"--hash=sha256:{each['content']}" for one in bill["components"] for each in one["hashes"]}
    assert hashes == set(re.findall(r"--hash=\S+", LOCK))


judged = runpy.run_path(str(ROOT / ".ci" / "audit.py"))["judged"]
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
BROKEN = {"name": "broken", "version": "2.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"]}]}
UNASKED = {"name": "unasked", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND], 0, ["1 packages audited, none vulnerable"]),
        (
            [SOUND, BROKEN],
            1,
            ["VULNERABLE: broken 2.0: PYSEC-2026-1, mended in 2.1", "2 packages audited, 1 known vulnerabilities"],
        ),
        ([SOUND, UNASKED], 0, ["not audited: unasked: not found", "1 packages audited, none vulnerable"]),
    ],
)
def test_x21_an_audit_says_what_is_vulnerable_and_what_it_could_not_ask_about(
    packages: list[Any], code: int, said: list[str]
) -> None:
    assert judged({"dependencies": packages, "fixes": []}) == (code, said)


@pytest.mark.parametrize("report", [None, {"dependencies": [UNASKED], "fixes": []}])
def test_x21_an_audit_that_reached_nobody_says_so_and_is_no_failure(report: Any) -> None:
    code, [said] = judged(report)
    assert (code, said.partition(":")[0]) == (0, "NOT AUDITED")


def test_x21_ci_audits_what_it_installs() -> None:
    assert "make audit" in (ROOT / ".ci" / "run").read_text()

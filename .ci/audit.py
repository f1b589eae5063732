"""Whether what the lock installs is known to be vulnerable, as pip-audit finds out (trust X21).

Run by a Python that has pip-audit. Ends with 1 where something is vulnerable. Where nobody could be asked it says so
and ends with 0: a machine without the network is no finding.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_ASK = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "20")


def judged(report: dict[str, Any] | None) -> tuple[int, list[str]]:
    """The exit code and what to say, for a report of pip-audit; None where it made none. A package it could not ask
    about is not one without vulnerabilities."""
    packages = report["dependencies"] if report is not None else []
    asked = [one for one in packages if "skip_reason" not in one]
    if not asked:
        return 0, ["NOT AUDITED: the service that knows of vulnerabilities cannot be reached from here"]
    unasked = [f"not audited: {one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    found = [_told(one, each) for one in asked for each in one["vulns"]]
    verdict = f"{len(found)} known vulnerabilities" if found else "none vulnerable"
    return int(bool(found)), [*unasked, *found, f"{len(asked)} packages audited, {verdict}"]


def _told(package: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
    return f"VULNERABLE: {package['name']} {package['version']}: {vulnerability['id']}, mended in {mended}"


def asked(lock: str) -> dict[str, Any] | None:
    """pip-audit's report on that file."""
    command = [sys.executable, "-m", "pip_audit", *_ASK, "--requirement", lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — our own words
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.stderr.write("".join(done.stderr.splitlines(keepends=True)[-1:]))
        return None
    return report


if __name__ == "__main__":
    code, lines = judged(asked(sys.argv[1]))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(code)

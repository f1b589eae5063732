"""What the lock installs, as a software bill of materials in CycloneDX 1.6, on standard output (trust X21).

It comes from the lock alone, so that the same lock gives the same bytes, and needs nothing but Python.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)([^\n]*\n(?:[ \t]+[^\n]*\n?)*)", re.MULTILINE)


def components(lock: str) -> Iterator[dict[str, Any]]:
    """Each package with its version and the hashes of the files it may be installed from. One that only some machines
    install is optional."""
    for name, version, rest in _ENTRY.findall(lock):
        purl = f"pkg:pypi/{name}@{version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "scope": "optional" if ";" in rest.partition("\n")[0] else "required",
            "hashes": [{"alg": "SHA-256", "content": found} for found in re.findall(r"sha256:([0-9a-f]{64})", rest)],
        }


def bill(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """The whole document, for `[project]` of pyproject.toml."""
    name, version = project["name"], project["version"]
    ours = {"type": "application", "bom-ref": name, "name": name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**ours, "licenses": [{"license": {"id": project["license"]}}]}},
        "components": list(components(lock)),
    }


if __name__ == "__main__":
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    json.dump(bill((root / "requirements.lock").read_text(), project), sys.stdout, indent=1)
    sys.stdout.write("\n")

"""What a benchmark prints and keeps: minimum, median and maximum of each side, their ratio, and a JSON file of all."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


def spread(name: str, found: Sequence[float], unit: str) -> dict[str, float]:
    """Print one line and give it back as figures."""
    low, middle, high = min(found), statistics.median(found), max(found)
    print(f"  {name:28} {_told(low):>9} – {_told(middle):>9} – {_told(high):>9} {unit}", flush=True)
    return {"min": low, "median": middle, "max": high}


def verdict(name: str, value: float, goal: str, *, met: bool) -> dict[str, object]:
    """Print a ratio beside its goal."""
    print(f"  {name:28} {value:9.2f}   goal {goal}: {'met' if met else 'not met'}", flush=True)
    return {"value": value, "goal": goal, "met": met}


def keep(key: str, figures: object, path: Path = RESULTS) -> None:
    """Put one benchmark's figures beside those of the others."""
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known[key] = figures
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", "utf-8")


def _told(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"

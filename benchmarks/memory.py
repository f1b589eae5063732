"""How much memory this process has had at most."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Resident, as Linux counts it since the program began; `ru_maxrss` would remember the process that started it."""
    return int(Path("/proc/self/status").read_text("utf-8").partition("VmHWM:")[2].split()[0]) / 1024

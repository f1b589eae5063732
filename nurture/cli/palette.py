"""Colours of our drawings, in the reader's light or dark: CSS variables."""

from __future__ import annotations

PALETTE = """
:root { --ink: #22221f; --dim: #62625b; --line: #d0d0c8; --edge: #9a9a92; --ground: #f6f6f2; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ecece6; --dim: #a8a8a0; --line: #45453f; --edge: #75756d; --ground: #1b1b19; --paper: #262623; }
}
"""

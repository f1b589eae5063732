"""The pages our commands write: one file each, which needs nothing else and runs no script."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined


def page(name: str, **values: Any) -> str:
    """The page of this name, with its parts, filled in."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FunctionLoader(_read), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name).render(values)


def _read(name: str) -> str:
    return files("nurture.cli").joinpath(name).read_text(encoding="utf-8")

"""The contracts of pyproject.toml: they hold, and each of them bites."""

from __future__ import annotations

import copy

import grimp
import pytest
from grimp import ImportGraph
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

KINDS = {
    "layers": LayersContract,
    "independence": IndependenceContract,
    "forbidden": ForbiddenContract,
    "protected": ProtectedContract,
}
CONFIGURATION = read_configuration()
CONTRACTS = {
    options["id"]: KINDS[options["type"]](options["name"], CONFIGURATION["session_options"], options)
    for options in CONFIGURATION["contracts_options"]
}


@pytest.fixture(scope="module")
def imports() -> ImportGraph:
    return grimp.build_graph("nurture", include_external_packages=True, cache_dir=None)


def kept(name: str, graph: ImportGraph) -> bool:
    return CONTRACTS[name].check(copy.deepcopy(graph), verbose=False).kept


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_package_keeps_the_contract(name: str, imports: ImportGraph) -> None:
    assert kept(name, imports)


@pytest.mark.parametrize(
    ("name", "importer", "imported"),
    [
        ("layers", "nurture.store.leads", "nurture.engine.react"),
        ("layers", "nurture.journey.decide", "nurture.mail.render"),
        ("layers", "nurture.campaign.compile", "nurture.funnel.stages"),
        ("layers", "nurture.delivery.smtp", "nurture.web.app"),
        ("strangers", "nurture.web.app", "nurture.worker"),
        ("pure", "nurture.journey.timing", "nurture.clock"),
        ("pure", "nurture.campaign.source", "pathlib"),
        ("pure", "nurture.mail.render", "random"),
        ("pure", "nurture.errors", "os"),  # by way of what all of them import
        ("tables", "nurture.engine.turn", "nurture.store.tables"),
        ("sql", "nurture.engine.advance", "sqlalchemy"),
        ("settings", "nurture.engine.live", "nurture.settings"),
    ],
)
def test_a_planted_import_breaks_the_contract(name: str, importer: str, imported: str, imports: ImportGraph) -> None:
    graph = copy.deepcopy(imports)
    if imported not in graph.modules:
        graph.add_module(imported, is_squashed=True)
    graph.add_import(importer=importer, imported=imported, line_number=1, line_contents=f"import {imported}")
    assert not kept(name, graph)


def test_a_new_top_level_module_has_to_be_put_into_a_layer(imports: ImportGraph) -> None:
    graph = copy.deepcopy(imports)
    graph.add_module("nurture.utils")
    assert not kept("layers", graph)

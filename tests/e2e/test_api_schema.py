"""Every operation of `/openapi.json`, called with what its description allows and with what it forbids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from starlette.applications import Starlette

from nurture.clock import machine_now
from nurture.serving import Endpoint
from nurture.store.keys import create_key
from nurture.web.app import create_app
from nurture.web.providers import READERS
from tests.e2e.test_web_hooks import SETTINGS
from tests.faults.project import CONFIG, opened
from tests.store.conftest import postgres_url

__all__ = ["postgres_url"]

# OpenAPI cannot say "since 1970", the description does.
SINCE_1970 = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
schemathesis.openapi.format("date-time", SINCE_1970.map(datetime.isoformat))

EXAMPLES = 15  # of each operation and phase
SEED = 20
LEADS = 60
FUNNEL = "funnel: {{stages: [lead, mql, customer]}}\n"
PROVIDERS = "providers:\n" + "".join(f'  {name}: "{SETTINGS[name]}"\n' for name in READERS)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Starlette, str]]:
    """The endpoint of a deployed project on a database of its own, and a key that may do everything."""
    database = "sqlite:///nurture.db"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_url")
    with opened(tmp_path / "project", database, 9, LEADS, config=CONFIG + FUNNEL + PROVIDERS) as project:
        endpoint = Endpoint(project.app, "127.0.0.1", 0)
        endpoint.ingest.start()
        with project.app.database.write() as tx:
            key = create_key(tx, ["admin"], machine_now())
        yield create_app(endpoint.services(), endpoint.hooks().routes()), key
        endpoint.ingest.stop()


USUAL = {
    "negative_data_rejection": ["400", "401", "403", "404", "405", "406", "409", "413", "422", "5xx"],
    "positive_data_acceptance": ["2xx", "401", "403", "404", "409", "5xx"],
}


def _also(operation: str, check: str, status: str) -> dict[str, object]:
    return {"include-name": operation, "checks": {check: {"expected-statuses": [*USUAL[check], status]}}}


def config(key: str) -> SchemathesisConfig:
    """All checks. Most calls name something that is there, else nearly every answer would be a 404."""
    known = {"path.id": "leads", "body.lead": "leads", "body.topic": "topics", "body.stage": "stages"}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "dictionaries": {
                "leads": {"values": [f"lead{n}" for n in range(LEADS)]},
                "topics": {"values": ["offers", "*"]},
                "stages": {"values": ["mql", "customer"]},
            },
            "parameters": {where: {"dictionary": name, "probability": 0.8} for where, name in known.items()},
            "operations": [
                # A bad item of a batch loses no other: the answer names it, with a 200 for the rest.
                _also("POST /v1/batch", "negative_data_rejection", "200"),
                # Which fields a lead has is the project's to say, not the description's.
                _also("POST /v1/leads/{id}/rectify", "positive_data_acceptance", "422"),
            ],
            "headers": {"Authorization": f"Bearer {key}"},
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none", "mode": "all"},
        }
    )


def findings(app: Starlette, key: str) -> tuple[list[str], set[str]]:
    """What went against the description, and the operations that did what they were asked."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config(key))
    found: list[str] = []
    done: set[str] = set()
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished(recorder=recorder):
                failed = [check for checks in recorder.checks.values() for check in checks if check.failure_info]
                found += [f"{info.failure}\n{info.code_sample}" for check in failed if (info := check.failure_info)]
                for case, told in recorder.interactions.items():
                    if told.response is not None and told.response.status_code == 200:
                        done.add(recorder.cases[case].value.operation.label)
            case events.NonFatalError(value=error) | events.FatalError(exception=error):
                raise error
    return found, done


def test_x20_every_operation_keeps_to_its_description(app: tuple[Starlette, str]) -> None:
    found, done = findings(*app)
    assert not found, "\n\n".join(found)
    described = schemathesis.openapi.from_asgi("/openapi.json", app[0]).raw_schema["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    unsigned = {"POST /hooks/{provider}"}  # nobody else can sign what a provider sends
    assert done == operations - unsigned

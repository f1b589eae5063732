"""Nobody learns from an answer whether somebody is known here (trust X7).

Judged by the work behind an answer, not by a stopwatch; `benchmarks/x07_same_time.py` measures
the times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from nurture.mail.links import Links
from nurture.web import even
from tests.e2e.web_world import Endpoint, hidden, running

PAGES: dict[str, Callable[[Links, int], str]] = {
    "unsubscribe": lambda links, lead: links.unsubscribe(lead, "offers", 5),
    "preferences": lambda links, lead: links.preferences(lead),
    "confirm": lambda links, lead: links.confirm(lead, "letter", 0),
    "data": lambda links, lead: links.my_data(lead, 1, "mark"),
    "erase": lambda links, lead: links.erase_me(lead, 1, "mark"),
    "form": lambda links, lead: links.form("guide", lead),
    "click": lambda links, lead: links.click(lead, 0),
    "open": lambda links, lead: links.open(lead),
}
GONE = 4711


def tokens(world: Endpoint, page: str, lead: int) -> dict[str, str]:
    """Paths of that page: of a lead who is here, of one who is not, signed by somebody else, and made up."""
    make, foreign = PAGES[page], Links("https://acme.example", ["another secret"])
    own = world.path(make(world.links, lead))
    return {
        "known": own,
        "gone": world.path(make(world.links, GONE)),
        "foreign": world.path(make(foreign, lead)),
        "made up": own.rpartition("/")[0] + "/" + "x" * 42,
    }


@contextmanager
def statements(world: Endpoint) -> Iterator[list[str]]:
    """What the database is asked meanwhile, without the values."""
    said: list[str] = []

    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", heard)
    try:
        yield said
    finally:
        event.remove(world.database.engine, "before_cursor_execute", heard)


@pytest.mark.parametrize("page", PAGES)
async def test_x07_any_token_is_the_same_work_and_status(tmp_path: Path, page: str) -> None:
    async with running(tmp_path) as world:
        lead = world.member()
        for path in tokens(world, page, lead).values():
            await world.client.get(path)  # what is done once is done
        work = {}
        for kind, path in tokens(world, page, lead).items():
            with statements(world) as said:
                status = (await world.client.get(path)).status_code
            work[kind] = (status, said)
        assert work["known"][1], "the database is asked"
        assert all(done == work["known"] for done in work.values()), work


async def test_x07_a_merged_lead_is_the_same_work(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        lead = world.member()
        with statements(world) as known:
            await world.client.get(world.path(world.links.unsubscribe(lead, "offers", 5)))
        with world.database.write() as tx:
            values = {"kind": "lead", "value": str(GONE), "lead_id": lead}
            tx.exec_driver_sql("INSERT INTO identities (kind, value, lead_id) VALUES (:kind, :value, :lead_id)", values)
        with statements(world) as merged:
            await world.client.get(world.path(world.links.unsubscribe(GONE, "offers", 5)))
        assert merged == known


@pytest.mark.parametrize("page", ["unsubscribe", "data", "erase"])
async def test_x07_any_token_shows_the_same_page(tmp_path: Path, page: str) -> None:
    async with running(tmp_path) as world:
        shown = set()
        for path in tokens(world, page, world.member()).values():
            text = (await world.client.get(path)).text
            shown.add(text.replace(hidden(text)["form"], ""))
        assert len(shown) == 1


@pytest.mark.parametrize("page", PAGES)
async def test_x07_buttons_are_answered_at_even_times(
    tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[float, float]] = []
    monkeypatch.setattr(even, "rest", lambda took, step: held.append((took, step)) or 0.0)
    async with running(tmp_path, even=True) as world:
        paths = tokens(world, page, world.member())
        for path in paths.values():
            await world.client.get(path)
        looking = len(held)
        if page != "click":  # it leads on or does not: that shows anyhow
            for path in paths.values():
                await world.client.post(path, data={"email": "anna@example.com"})
        steps = [step for _, step in held]
    if page in ("click", "open"):
        assert steps == [even.LINKS] * (4 if page == "open" else 0)
    else:
        assert looking == 0
        assert steps == [even.FORMS if page == "form" else even.LINKS] * 4


@pytest.mark.parametrize(
    ("took", "left"), [(0.0, 0.02), (0.003, 0.017), (0.0199, 0.0001), (0.02, 0.02), (0.025, 0.015)]
)
def test_x07_an_answer_waits_for_the_end_of_its_step(took: float, left: float) -> None:
    assert even.rest(took, 0.02) == pytest.approx(left)

"""`nurture graph`, as a marketer runs it."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.e2e.commands import Shop


def texts(shop: Shop) -> list[str | None]:
    root = ElementTree.parse(shop.root / "g.svg").getroot()
    return [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]


def two_inside(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann", "bob")
    for name in ("ann", "bob"):
        assert shop.run("enroll", "hello", name) == 0
    shop.work()


def test_a_campaign_is_drawn_before_there_is_a_database_and_none_is_made(shop: Shop) -> None:
    assert shop.run("graph", "cart", "--out", shop.root / "g.svg") == 0
    assert "Mail cart/reminder" in texts(shop)
    assert not (shop.root / "nurture.db").exists()


def test_those_on_a_step_are_counted_on_it(shop: Shop) -> None:
    two_inside(shop)
    assert shop.json("graph", "hello")["steps"] == [
        {"id": "hello", "standing": 0},
        {"id": "wait-2d", "standing": 2},
        {"id": "bye", "standing": 0},
    ]


def test_those_on_a_step_the_file_has_no_more_are_told(shop: Shop) -> None:
    two_inside(shop)
    shop.write("campaigns/hello.yaml", "campaign: hello\ntopic: offers\nenter: {manual: true}\nsteps: [{send: bye}]\n")
    assert shop.run("graph", "hello", "--out", shop.root / "g.svg") == 0
    assert "nobody inside, 2 more on steps this file no longer has" in texts(shop)


def test_a_place_that_cannot_be_written_is_told(shop: Shop) -> None:
    assert shop.run("graph", "cart", "--out", shop.root / "no" / "g.svg") == 1
    assert "cannot write" in shop.err

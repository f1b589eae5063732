"""The world of the example shop."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from nurture.clock import Dice
from nurture.demo.shop import World, make_world

START = datetime(2026, 3, 2, 7, tzinfo=UTC)
CONFIG = Path(__file__).parents[3] / "config.yaml"


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(Dice(7), START)


def test_equal_dice_make_equal_worlds(world: World) -> None:
    assert make_world(Dice(7), START) == world


def test_other_dice_make_another_world(world: World) -> None:
    assert make_world(Dice(8), START) != world


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        make_world(Dice(7), datetime(2026, 3, 2))


def test_happenings_come_in_order_of_time_and_end_with_the_world(world: World) -> None:
    instants = [each.at for each in world.happenings]
    assert instants == sorted(instants)
    assert instants[-1] < world.end == START + timedelta(weeks=5)


def test_history_and_days_are_the_whole(world: World) -> None:
    assert world.history() + world.days() == world.happenings
    assert world.history()


def test_every_happening_has_an_id_of_its_own(world: World) -> None:
    assert len({each.id for each in world.happenings}) == len(world.happenings)


def test_every_address_is_one_person_and_leads_nowhere(world: World) -> None:
    addresses = {person.email for person in world.people}
    assert len(addresses) == len(world.people) == 240
    assert all(address.isascii() and address.endswith(".example") for address in addresses)


def test_people_come_from_three_countries(world: World) -> None:
    counted = Counter(person.country for person in world.people)
    assert set(counted) == {"FR", "RO", "IE"}
    assert min(counted.values()) > 20


def test_who_is_known_to_the_shop_says_so_first(world: World) -> None:
    first = {each.lead: each.kind for each in reversed(world.happenings)}
    assert set(first.values()) == {"identify"}


def test_some_baskets_are_bought_and_some_are_left(world: World) -> None:
    touched = {each.properties["cart_id"] for each in world.days() if each.name == "cart_updated"}
    bought = {each.properties["cart_id"] for each in world.days() if each.name == "order_completed"}
    assert bought < touched
    assert 0.3 < len(bought) / len(touched) < 0.7


def test_an_order_costs_what_its_items_cost(world: World) -> None:
    for each in world.happenings:
        if each.name == "order_completed":
            lines = [line["price"] * line["quantity"] for line in each.properties["items"]]
            assert each.properties["total"] == pytest.approx(sum(lines))


def test_a_cheaper_tea_is_told_to_those_who_looked_at_it_before(world: World) -> None:
    for told in (each for each in world.happenings if each.name == "price_dropped"):
        assert any(
            seen.lead == told.lead
            and seen.name == "page_viewed"
            and seen.properties.get("sku") == told.properties["sku"]
            and seen.at < told.at
            for seen in world.happenings
        )


def test_everything_reported_is_declared_in_the_example_config(world: World) -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    stages = {stage["name"] for funnel in config["funnels"].values() for stage in funnel["stages"]}
    declared = {"consent": set(config["topics"]), "form": set(config["forms"]), "move": stages}
    for each in world.happenings:
        if each.kind == "track":
            assert set(each.properties) <= set(config["events"][each.name])
        elif each.kind != "identify":
            assert each.name in declared[each.kind]


def test_every_event_of_the_example_config_happens(world: World) -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    assert set(config["events"]) == {each.name for each in world.happenings if each.kind == "track"}

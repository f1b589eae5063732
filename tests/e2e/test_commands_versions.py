"""Changing a campaign that people walk: what a plan foresees, what a rollback brings back, and that nobody is lost."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from nurture.engine import forecast
from tests.e2e.commands import CONFIG, HELLO, MAIL, Shop
from tests.store.conftest import postgres_url

__all__ = ["postgres_url"]

MANY = 500
CAREFUL = HELLO.replace("topic: offers", "topic: offers\non_change: migrate").replace(
    "{wait: 2d}", "{id: rest, wait: 2d}"
)
SOONER = CAREFUL.replace("{id: rest, wait: 2d}", "{id: breath, wait: 1s}")
MAILING = """\
campaign: mailing
topic: offers
enter: {schedule: 2099-01-01T09:00, repeat: 1d}
steps: [{send: hello}]
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Shop]:
    """The small project with room for many leads, on each of the two databases in turn."""
    config = CONFIG.replace("blast: 2", "blast: 10000")
    if request.param == "sqlite":
        shop.write("config.yaml", config)
        yield shop
        return
    url = make_url(request.getfixturevalue("postgres_url"))
    name = f"nurture_{uuid.uuid4().hex[:12]}"
    admin = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    shop.write("config.yaml", f"{config}database: {url.set(database=name).render_as_string(hide_password=False)}\n")
    yield shop
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def enter(shop: Shop, *names: str) -> None:
    """These leads walk 'hello', and have its first mail."""
    shop.people(*names)
    again = ("--mapping", shop.root / "map.yaml", "--enroll", "hello", "--yes")
    shop.write("inside.csv", (shop.root / "leads.csv").read_text() + "\n")
    assert shop.run("import", "leads", shop.root / "inside.csv", *again) == 0, shop.err
    shop.work()


def live(shop: Shop, campaign: str = "hello") -> str:
    return next(row["version"] for row in shop.json("versions") if row["name"] == campaign)


def planned(shop: Shop) -> Any:
    import json

    shop.run("plan", "--json")
    return json.loads(shop.out)


def sends(shop: Shop, campaign: str = "hello") -> tuple[list[int], list[int]]:
    rows = [row for row in planned(shop)["sends"] if row["campaign"] == campaign]
    return [row["before"] for row in rows], [row["after"] for row in rows]


def mailed(shop: Shop) -> Counter[str]:
    """How often each template was sent, and to how many different people."""
    rows = shop.json("outbox", "list", "--state", "sent", "--limit", "5000")
    assert len({(row["template"], row["address"]) for row in rows}) == len(rows), "somebody got a mail twice"
    return Counter(row["template"] for row in rows)


def test_r12_a_step_that_five_hundred_stand_on_is_removed_and_nobody_is_lost_or_mailed_twice(either: Shop) -> None:
    shop = either
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    enter(shop, *(f"p{n}" for n in range(MANY)))
    before = live(shop)

    shop.write("campaigns/hello.yaml", SOONER)
    assert shop.run("plan") == 1
    assert "500 on 'rest'" in shop.out
    assert "500 stand on step 'rest'" in shop.err
    assert shop.run("deploy", "--yes") == 1
    assert live(shop) == before

    shop.write("campaigns/hello.yaml", f"{SOONER}migrations: [{{from: {before}, map: {{rest: breath}}}}]\n")
    was, will = sends(shop)
    assert (sum(was), will[0], sum(will)) == (MANY, MANY, MANY)
    shop.deploy()
    shop.work()
    assert mailed(shop) == {"hello": MANY, "bye": MANY}
    assert [row["inside"] for row in shop.json("versions") if row["name"] == "hello"] == [0]


def test_a_plan_counts_the_mails_of_seven_days_before_and_after(shop: Shop) -> None:
    shop.deploy()
    enter(shop, "ann", "bob")
    shop.write("campaigns/hello.yaml", HELLO.replace(", {send: bye}", "") + "on_change: exit\n")
    was, will = sends(shop)
    assert (was[2], sum(was), sum(will)) == (2, 2, 0)


def test_a_plan_changes_nothing_and_says_the_same_again(shop: Shop) -> None:
    shop.deploy()
    enter(shop, "ann", "bob")
    outbox = shop.json("outbox", "list")
    shop.write("campaigns/hello.yaml", CAREFUL)
    first = planned(shop)["sends"]
    assert (planned(shop)["sends"], shop.json("outbox", "list")) == (first, outbox)


def test_a_plan_counts_those_whom_a_mailing_will_let_in(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann", "bob")
    tomorrow = MAILING.replace("2099-01-01T09:00, repeat: 1d", "2020-01-01T00:00, repeat: 1d")
    shop.write("campaigns/mailing.yaml", tomorrow)
    was, will = sends(shop, "mailing")
    assert (sum(was), set(will[1:-1])) == (0, {2})


def test_of_very_many_leads_a_sample_is_played_and_the_plan_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("config.yaml", CONFIG.replace("blast: 2", "blast: 100"))
    shop.deploy()
    enter(shop, *(f"p{n}" for n in range(40)))
    monkeypatch.setattr(forecast, "MOST", 10)
    shop.write("campaigns/hello.yaml", HELLO.replace("wait: 2d", "wait: 3d"))
    assert sends(shop)[0][2] == 40
    shop.run("plan")
    assert "estimated: 10 of 40 leads played, one for 4.0" in shop.out


def test_mails_of_another_campaign_that_a_shared_cap_moves_are_told_too(shop: Shop) -> None:
    shop.deploy()
    enter(shop, "ann")
    shop.write("config.yaml", CONFIG + "caps: {marketing: {at_most: 1, per: 30d}}\n")
    was, will = sends(shop)
    assert (sum(was), sum(will)) == (1, 0)


def test_s26_a_plan_counts_no_mails_of_a_campaign_that_is_paused(shop: Shop) -> None:
    shop.deploy()
    enter(shop, "ann")
    shop.run("pause", "hello")
    shop.write("campaigns/hello.yaml", HELLO.replace("wait: 2d", "wait: 3d"))
    assert sends(shop) == ([], [])


def test_as_markdown_what_is_refused_stands_first(shop: Shop) -> None:
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    enter(shop, "ann")
    shop.write("campaigns/hello.yaml", SOONER)
    assert shop.run("plan", "--markdown") == 1
    assert shop.out.index("[!CAUTION]") < shop.out.index("| `hello` | changed | live |")
    assert "| 1 | `rest` |" in shop.out


def test_a_rollback_brings_back_the_version_before(shop: Shop) -> None:
    shop.deploy()
    first = live(shop)
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    assert shop.run("rollback", "hello", "--yes") == 0, shop.err
    assert live(shop) == first


def test_a_rollback_brings_back_the_template_of_then(shop: Shop) -> None:
    shop.deploy()
    shop.write("templates/hello.html", MAIL.replace("Hello {{", "Good day {{"))
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    shop.run("rollback", "hello", "--yes")
    enter(shop, "ann")
    (mail,) = shop.root.rglob("*.eml")
    assert "Subject: Hello" in mail.read_text()


def test_a_rollback_without_a_name_is_of_everything(shop: Shop) -> None:
    shop.deploy()
    before = shop.json("versions")
    shop.write("config.yaml", CONFIG + "caps: {marketing: {at_most: 1, per: 30d}}\n")
    shop.write("campaigns/hello.yaml", CAREFUL)
    (shop.root / "campaigns/cart.yaml").unlink()
    shop.deploy()
    assert shop.run("rollback", "--yes") == 0, shop.err
    kept = ("name", "version", "state")
    assert [[row[k] for k in kept] for row in shop.json("versions")] == [[row[k] for k in kept] for row in before]


def test_a_rollback_goes_to_the_version_named(shop: Shop) -> None:
    shop.deploy()
    first = live(shop)
    for wait in ("3d", "4d"):
        shop.write("campaigns/hello.yaml", HELLO.replace("wait: 2d", f"wait: {wait}"))
        shop.deploy()
    assert shop.run("rollback", "hello", "--to", first[:6], "--yes") == 0, shop.err
    assert live(shop) == first


def test_all_versions_are_listed_with_when_they_were_live(shop: Shop) -> None:
    shop.deploy()
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    rows = [row for row in shop.json("versions", "--all") if row["name"] == "hello"]
    assert [(row["deploy"], row["until"]) for row in rows] == [(1, rows[1]["since"]), (2, None)]


def test_a_rollback_that_would_strand_somebody_is_refused(shop: Shop) -> None:
    shop.write("campaigns/hello.yaml", SOONER.replace("wait: 1s", "wait: 1d"))
    shop.deploy()
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    enter(shop, "ann")
    assert shop.run("rollback", "hello", "--yes") == 1
    assert "1 stand on step 'rest'" in shop.err


def test_a_rollback_goes_back_the_way_that_the_newer_version_came(shop: Shop) -> None:
    shop.write("campaigns/hello.yaml", SOONER.replace("wait: 1s", "wait: 1d"))
    shop.deploy()
    first = live(shop)
    shop.write("campaigns/hello.yaml", f"{CAREFUL}migrations: [{{from: {first}, map: {{breath: rest}}}}]\n")
    shop.deploy()
    enter(shop, "ann")
    assert shop.run("rollback", "hello", "--yes") == 0, shop.err
    shop.work()
    (row,) = [row for row in shop.json("versions") if row["name"] == "hello"]
    assert (row["version"], row["inside"], row["inside_older"]) == (first, 1, {})


def test_a_rollback_to_what_config_no_longer_knows_is_refused(shop: Shop) -> None:
    segment = "segments: {known: {lead: {email: {set: true}}}}\n"
    shop.write("config.yaml", CONFIG + segment)
    shop.write("campaigns/hello.yaml", HELLO + "exit: [{match: {segment: known}}]\n")
    shop.deploy()
    shop.write("config.yaml", CONFIG)
    shop.write("campaigns/hello.yaml", HELLO)
    shop.deploy()
    assert shop.run("rollback", "hello", "--yes") == 1
    assert "it uses the segment 'known', which config.yaml no longer has" in shop.err


def test_a_rollback_nobody_confirms_changes_nothing(shop: Shop) -> None:
    shop.deploy()
    shop.write("campaigns/hello.yaml", CAREFUL)
    shop.deploy()
    now = live(shop)
    assert (shop.run("rollback", "hello"), live(shop)) == (1, now)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hello"], "'hello' has only had one version"),
        (["helo"], "there is no campaign 'helo'"),
        ([], "there is no deploy before this one"),
        (["--to", "abc"], "'abc' is not the number of a deploy"),
        (["--to", "9"], "there is no deploy 9"),
        (["hello", "--to", "ffff"], "'hello' has had no version ffff"),
    ],
)
def test_a_rollback_says_what_there_is_not(shop: Shop, arguments: list[str], said: str) -> None:
    shop.deploy()
    assert shop.run("rollback", *arguments, "--yes") == 1
    assert said in shop.err


def test_resuming_what_was_not_paused_says_so(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("resume", "hello") == 0
    assert shop.out == "'hello' was not paused\n"

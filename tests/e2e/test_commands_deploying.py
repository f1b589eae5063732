"""`nurture plan`, `deploy`, `versions`, `pause`, `resume`, as an operator runs them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.commands import HELLO, Shop

MIGRATING = HELLO.replace("topic: offers", "topic: offers\non_change: migrate")
EVERYBODY = """\
campaign: everybody
topic: offers
enter: {match: {consent: offers}, existing: enter}
steps: [{send: hello}]
"""


def campaign(shop: Shop, name: str) -> Any:
    shop.run("plan", "--json")
    import json

    return next(c for c in json.loads(shop.out)["campaigns"] if c["campaign"] == name)


def test_a_deploy_makes_the_database_and_says_so(shop: Shop) -> None:
    assert shop.run("deploy", "--yes") == 0
    assert "a new database was made" in shop.out


def test_a_plan_makes_no_database(shop: Shop) -> None:
    assert shop.run("plan") == 0
    assert not (shop.root / "nurture.db").exists()


def test_a_deploy_that_nobody_can_confirm_changes_nothing(shop: Shop) -> None:
    assert shop.run("deploy") == 1
    assert shop.json("versions") == []


def test_an_error_in_a_template_stops_the_deploy(shop: Shop) -> None:
    shop.write("templates/hello.html", "---\nsubject: Hi\n---\n{{ lead.nickname }}")
    assert shop.run("deploy", "--yes") == 1
    assert "templates/hello.html:4" in shop.err


def test_a_second_deploy_changes_nothing(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("plan") == 0
    assert shop.out == "nothing to change: what is live is what lies here\n"


def test_a_plan_names_steps_added_and_removed_but_not_their_neighbours(shop: Shop) -> None:
    shop.deploy()
    shop.write("campaigns/hello.yaml", HELLO.replace("wait: 2d", "wait: 3d"))
    assert campaign(shop, "hello")["steps"] == [
        {"step": "wait-3d", "what": "added"},
        {"step": "wait-2d", "what": "removed"},
    ]


def test_a_plan_says_who_stands_where_and_what_becomes_of_them(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann", "bob")
    for name in ("ann", "bob"):
        shop.run("enroll", "hello", name)
    shop.work()
    shop.write("campaigns/hello.yaml", HELLO.replace("{send: bye}", "{tag: done}"))
    (group,) = campaign(shop, "hello")["standing"]
    assert (group["step"], group["count"], group["becomes"]) == ("wait-2d", 2, "finishes on its version")


def standing_on_the_wait(shop: Shop) -> None:
    shop.write("campaigns/hello.yaml", MIGRATING)
    shop.deploy()
    shop.people("ann")
    shop.run("enroll", "hello", "ann")
    shop.work()


def test_a_deploy_that_would_strand_somebody_is_refused(shop: Shop) -> None:
    standing_on_the_wait(shop)
    shop.write("campaigns/hello.yaml", MIGRATING.replace("wait: 2d", "wait: 3d"))
    assert shop.run("deploy", "--yes") == 1
    assert "1 stand on step 'wait-2d'" in shop.err


def test_a_refused_deploy_leaves_the_old_version_live(shop: Shop) -> None:
    standing_on_the_wait(shop)
    before = shop.json("versions")
    shop.write("campaigns/hello.yaml", MIGRATING.replace("wait: 2d", "wait: 3d"))
    shop.run("deploy", "--yes")
    assert shop.json("versions") == before


def test_a_migration_that_names_the_step_is_deployed(shop: Shop) -> None:
    standing_on_the_wait(shop)
    version = next(row["version"] for row in shop.json("versions") if row["name"] == "hello")
    more = f"migrations: [{{from: {version}, map: {{wait-2d: wait-3d}}}}]\n"
    shop.write("campaigns/hello.yaml", MIGRATING.replace("wait: 2d", "wait: 3d") + more)
    assert shop.run("deploy", "--yes") == 0, shop.err


def test_a_mail_under_another_id_would_be_sent_again_and_is_refused(shop: Shop) -> None:
    standing_on_the_wait(shop)
    shop.write(
        "campaigns/hello.yaml", MIGRATING.replace("{send: hello}, {wait: 2d}", "{wait: 2d}, {send: hello, id: again}")
    )
    assert shop.run("deploy", "--yes") == 1
    assert "1 had the mail of step 'hello' and would get it again as 'again'" in shop.err


def test_a_template_that_is_still_walked_cannot_go(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann")
    shop.run("enroll", "hello", "ann")
    shop.work()
    shop.write("campaigns/hello.yaml", HELLO.replace(", {send: bye}", ""))
    (shop.root / "templates/bye.html").unlink()
    assert shop.run("deploy", "--yes") == 1
    assert "its template 'bye' is gone" in shop.err


def test_more_than_the_blast_limit_do_not_enter_at_once(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann", "bob", "cy")
    shop.work()
    shop.write("campaigns/everybody.yaml", EVERYBODY)
    assert shop.run("deploy", "--yes") == 1
    assert "3 leads would enter at once" in shop.err
    assert "--yes-enter 3" in shop.err


def test_who_names_the_number_lets_them_enter(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann", "bob", "cy")
    shop.work()
    shop.write("campaigns/everybody.yaml", EVERYBODY)
    assert shop.run("deploy", "--yes", "--yes-enter", "2") == 1
    assert shop.run("deploy", "--yes", "--yes-enter", "3") == 0, shop.err


def test_a_campaign_whose_file_is_gone_is_retired(shop: Shop) -> None:
    shop.deploy()
    (shop.root / "campaigns/hello.yaml").unlink()
    shop.deploy()
    assert {row["name"]: row["state"] for row in shop.json("versions")} == {"cart": "live", "hello": "retired"}


def test_a_paused_campaign_lets_nobody_in_and_resumes(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann")
    assert shop.run("pause", "hello") == 0
    shop.run("enroll", "hello", "ann")
    shop.work()
    assert [row["reason"] for row in shop.json("why", "ann")] == ["not live"]
    assert shop.run("resume", "hello") == 0
    shop.run("enroll", "hello", "ann")
    shop.work()
    assert [row["template"] for row in shop.json("outbox", "list")] == ["hello"]


def test_everything_pauses_and_what_was_released_stays_pending(shop: Shop) -> None:
    shop.deploy()
    shop.people("ann")
    shop.run("enroll", "hello", "ann")
    shop.run("pause", "--all")
    shop.work()
    assert shop.json("outbox", "list", "--state", "sent") == []
    assert shop.run("resume", "--all") == 0


def test_pause_wants_to_know_what(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("pause") == 1
    assert shop.run("pause", "hello", "--all") == 1


def test_a_campaign_that_is_not_there_cannot_be_paused(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("pause", "helo") == 1
    assert "did you mean 'hello'?" in shop.err


NARROW = """\
campaign: some
topic: offers
enter: {match: {lead: {email: {starts_with: p1}}}, existing: skip}
steps: [{send: hello}]
"""


def test_r19_a_change_that_reaches_many_more_leads_needs_their_number(shop: Shop) -> None:
    shop.people(*(f"p{n}" for n in range(120)))
    shop.write("campaigns/some.yaml", NARROW)
    shop.deploy()
    shop.write("campaigns/some.yaml", NARROW.replace("starts_with: p1", "starts_with: p"))
    assert shop.run("deploy", "--yes") == 1
    assert "'some' would reach 120 leads, and reaches 31 now" in shop.err
    assert shop.run("deploy", "--yes", "--yes-enter", "120") == 0, shop.err


def test_r19_a_resume_names_how_many_mails_may_leave(shop: Shop) -> None:
    shop.deploy()
    assert shop.run("pause", "hello") == 0
    assert shop.run("resume", "hello", "--yes-send", "50") == 0, shop.err
    assert shop.run("resume", "--all", "--yes-send", "50") == 1


def test_r18_a_worker_says_that_mails_go_to_few(shop: Shop) -> None:
    shop.write("config.yaml", (shop.root / "config.yaml").read_text() + "allow_recipients: [acme.example]\n")
    shop.deploy()
    shop.work()
    assert "STAGING: mails go to nobody but acme.example" in shop.err


def test_r18_a_test_mail_stays_inside_the_list(shop: Shop) -> None:
    shop.write("config.yaml", (shop.root / "config.yaml").read_text() + "allow_recipients: [acme.example]\n")
    shop.deploy()
    assert shop.run("send-test", "hello", "--to", "bob@elsewhere.example") == 1
    assert "test mode" in shop.err
    assert shop.run("send-test", "hello", "--to", "bob@acme.example") == 0, shop.err


def test_e15_what_is_closed_is_listed_and_opened(shop: Shop) -> None:
    shop.deploy()
    assert shop.json("closures", "list") == []
    assert shop.run("closures", "open", "google") == 1
    assert shop.run("closures", "open") == 0


def test_e15_a_rule_of_ones_own_that_cannot_be_read_is_a_problem_with_its_place(shop: Shop) -> None:
    config = (shop.root / "config.yaml").read_text()
    shop.write("config.yaml", config + "smtp: {host: localhost, outcomes: own.toml}\n")
    shop.write("own.toml", '# ours\n[[rule]]\nname = "a"\nclass = "lost"\n')
    assert shop.run("check") == 1
    assert "own.toml:2:1: error N506" in shop.out


def test_x17_what_is_stored_must_be_known_at_the_deploy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace("name: Acme,", 'name: "${SHOP_NAME}",'))
    assert shop.run("deploy", "--yes") == 1
    assert "N510: the environment variable 'SHOP_NAME' is not set" in shop.err
    monkeypatch.setenv("SHOP_NAME", "Acme")
    assert shop.run("deploy", "--yes") == 0


def test_x17_a_deploy_needs_no_secret(shop: Shop) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace('"0123456789abcdef0123456789abcdef"', '"${SHOP_SECRET}"'))
    assert shop.run("deploy", "--yes") == 0

"""Mails for a review: who they are printed for, and that none of ours has anything wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nurture.campaign.project import Project, Sender, Topic
from nurture.delivery.matrix import Edition, Wanted, cells, differ, edition
from nurture.delivery.samples import made_up, of_players, slug
from nurture.engine.history import Player
from nurture.mail.builtin import with_builtin

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROJECT = Project(
    name="acme",
    sender=Sender(name="Acme", email="news@acme.eu", postal_address="1 rue de la Paix, Paris"),
    topics={"letter": Topic("letter", {"en": "The letter"}, {"en": "Yes, send me the letter."})},
)


@pytest.mark.parametrize("locale", ["en", "fr", "ro"])
def test_the_mails_that_come_with_nurture_have_nothing_wrong(locale: str) -> None:
    ours = edition(PROJECT, {}, with_builtin({}), [])
    assert {cell.file: cell.findings for cell in cells(ours, None, Wanted(locales=[locale])) if cell.findings} == {}


def test_a_project_that_asks_for_no_second_yes_has_no_confirmation_to_look_at() -> None:
    alone = Project(name="acme", topics={"letter": Topic("letter", double_opt_in=False)})
    assert list(cells(edition(alone, {}, {}, []), None, Wanted())) == []


def test_a_mail_that_cannot_be_printed_any_more_is_a_change() -> None:
    mails = edition(PROJECT, {}, {"hello.html": "---\nsubject: Hello\n---\nHello {{ lead.name or 'you' }}"}, [])
    broken = edition(PROJECT, {}, {"hello.html": "---\nsubject: Hello\n---\nHello {{ lead.name.strip() }}"}, [])
    wanted = Wanted(templates=["hello"], leads=of_players(PROJECT, [Player(email="ann@acme.eu")], NOW))
    (cell,) = cells(broken, mails, wanted)
    assert (cell.mark, cell.difference) == ("changed", "it cannot be printed now\n")


def test_equal_mails_do_not_differ() -> None:
    mails: Edition = edition(PROJECT, {}, {"hello.html": "---\nsubject: Hello\n---\nHello"}, [])
    one, other = (cell.mail for cell in cells(mails, None, Wanted(templates=["hello"], leads=made_up(PROJECT, NOW))))
    assert one is not None
    assert differ(one, one) == ""
    assert "camille@example.com" in differ(one, other)


def test_leads_of_one_name_have_files_of_their_own() -> None:
    players = [Player(email="ann@acme.eu"), Player(email="ann@acme.fr"), Player(external="Ann")]
    assert [sample.name for sample in of_players(PROJECT, players, NOW)] == ["ann", "ann-2", "ann-2-2"]


@pytest.mark.parametrize(
    ("title", "name"), [("A Saturday’s basket!", "a-saturdays-basket"), ("Zoé Țepeș", "zoe-tepes"), ("…", "lead")]
)
def test_a_title_becomes_a_name_for_files(title: str, name: str) -> None:
    assert slug(title) == name

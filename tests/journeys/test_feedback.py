"""What is heard of a mail after it left (trust E9, E18, E23–E26), on both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nurture.delivery.maildir import Maildir
from nurture.delivery.returns import Returns
from nurture.errors import StoreUnavailable, UserError
from nurture.lead.permission import ALL, MARKETING
from nurture.mail.report import Kind
from nurture.store.database import Database
from nurture.store.tables import leads, messages
from tests.journeys.posted import FEEDBACK, LINKS, Post, posted
from tests.journeys.world import instant
from tests.unit.mail.returned import postfix

GONE = {"status": "5.1.1", "code": 550, "text": "User unknown"}


def test_e23_a_hard_bounce_closes_the_address_and_is_told_to_campaigns(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.BOUNCED, recipient="lead0@example.com", **GONE) == "bounced"
    assert post.scopes() == {ALL: "bounce: 5.1.1"}
    said = {"mail": "a", "step": "a", "campaign": "mails", "message": post.message, "kind": "hard"}
    assert post.said("mail.bounced") == [said]


def test_e23_after_a_hard_bounce_the_next_mail_is_not_released(db: Database) -> None:
    post = posted(db)
    post.hears(Kind.BOUNCED, **GONE)
    post.site.run("3d")
    assert "b pending" not in post.site.outbox()
    assert "b sent" not in post.site.outbox()


@pytest.mark.parametrize(
    "said",
    [
        {"status": "5.7.1", "code": 554, "text": "blocked using zen.spamhaus.org"},
        {"status": "5.2.2", "code": 552, "text": "mailbox full"},
        {"status": "4.4.7", "code": 450, "text": "expired"},
        {"text": "no idea"},
        {"hard": False, "text": "temporary"},
        {"standard": False, **GONE},
    ],
)
def test_e15_e23_what_does_not_prove_a_mailbox_dead_closes_nothing(db: Database, said: dict[str, Any]) -> None:
    post = posted(db)
    assert post.hears(Kind.BOUNCED, **said) == "bounced"
    assert post.scopes() == {}


def test_e23_a_delay_is_no_bounce(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.DEFERRED, **GONE) == "ignored"
    assert (post.scopes(), post.said("mail.bounced"), post.row().bounced_at) == ({}, [], None)


def test_e24_a_second_report_changes_nothing(db: Database) -> None:
    post = posted(db)
    post.hears(Kind.BOUNCED, text="no idea")
    assert post.hears(Kind.BOUNCED, at="2h", **GONE) == "repeated"
    assert (post.scopes(), len(post.said("mail.bounced"))) == ({}, 1)


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.COMPLAINED, Kind.REPLIED, Kind.DELIVERED, Kind.UNSUBSCRIBED])
def test_e24_a_forged_mark_changes_nothing(db: Database, kind: Kind) -> None:
    post = posted(db)
    mark = post.mark()
    forged = (mark[:-1] + ("a" if mark[-1] != "a" else "b"), "", "lead0", "x" * 300, mark.replace(".", ""))
    assert post.hears(kind, marks=forged, recipient="lead0@example.com", **GONE) == "forged"
    assert (post.scopes(), post.row().bounced_at, post.row().complained_at) == ({}, None, None)
    assert set(post.consents().values()) == {"granted"}


def test_e24_a_mark_of_a_mail_that_never_left_is_forged(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.BOUNCED, marks=(post.mark(4711),), **GONE) == "forged"


def test_e24_a_bounce_after_thirty_days_is_late(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.BOUNCED, at="31d", **GONE) == "late"
    assert post.scopes() == {}


def test_s29_a_bounce_of_another_address_than_the_leads_does_not_close_it(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.BOUNCED, recipient="earlier@example.com", **GONE) == "bounced"
    assert post.scopes() == {}


def test_e24_s29_a_bounce_that_names_no_address_closes_the_one_the_mail_went_to(db: Database) -> None:
    post = posted(db, to="earlier@example.com")
    assert post.hears(Kind.BOUNCED, **GONE) == "bounced"
    assert (post.closed("earlier@example.com"), post.scopes()) == ({ALL: "bounce: 5.1.1"}, {})


def test_s29_a_bounce_that_names_the_address_before_closes_that_one(db: Database) -> None:
    post = posted(db, to="earlier@example.com")
    post.hears(Kind.BOUNCED, recipient="Earlier@example.com", **GONE)
    assert (post.closed("earlier@example.com"), post.scopes()) == ({ALL: "bounce: 5.1.1"}, {})


def test_s29_a_bounce_that_names_todays_address_of_a_mail_to_another_closes_neither(db: Database) -> None:
    post = posted(db, to="earlier@example.com")
    post.hears(Kind.BOUNCED, recipient="lead0@example.com", **GONE)
    assert (post.closed("earlier@example.com"), post.scopes()) == ({}, {})


@pytest.mark.parametrize(("earlier", "closed"), [("lead0@example.com", True), ("before@example.com", False)])
def test_e15_a_second_bounce_counts_only_after_a_first_from_the_same_address(
    db: Database, earlier: str, closed: bool
) -> None:
    """5.2.1, a mailbox disabled, closes at the second within thirty days."""
    disabled = {"status": "5.2.1", "code": 550, "text": "mailbox disabled"}
    post = posted(db, to=earlier)
    post.hears(Kind.BOUNCED, **disabled)
    post.site.run("4d")
    post.went_to("lead0@example.com", post.message + 1)
    post.hears(Kind.BOUNCED, "4d", marks=(post.mark(post.message + 1),), **disabled)
    assert bool(post.scopes()) is closed


def test_a_bounce_behind_a_forwarding_closes_the_address_it_was_sent_to(db: Database) -> None:
    post = posted(db)
    post.hears(Kind.BOUNCED, recipient="elsewhere@example.net", original="LEAD0@example.com", **GONE)
    assert post.scopes() == {ALL: "bounce: 5.1.1"}


def test_e26_a_complaint_ends_all_marketing_with_its_reason(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.COMPLAINED, raw="abuse") == "complained"
    assert post.scopes()[MARKETING] == "complaint: abuse"
    assert {post.consents()[t] for t in ("offers", "news")} == {"withdrawn"}
    assert post.site.story().ends() == ["exit(withdrew marketing)"]


def test_e26_a_complaint_outweighs_an_earlier_withdrawal(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.UNSUBSCRIBED) == "unsubscribed"
    assert post.scopes()[MARKETING] == "withdrew marketing"
    post.hears(Kind.COMPLAINED, at="2h", raw="abuse")
    assert post.scopes()[MARKETING] == "complaint: abuse"


def test_e26_two_complaints_about_one_mail_are_one(db: Database) -> None:
    post = posted(db)
    post.hears(Kind.COMPLAINED, raw="abuse")
    assert post.hears(Kind.COMPLAINED, raw="abuse") == "repeated"
    assert len(post.said("consent.withdrawn")) == 2  # one for each topic


def test_a_reply_is_told_to_campaigns_once(db: Database) -> None:
    post = posted(db)
    assert [post.hears(Kind.REPLIED), post.hears(Kind.REPLIED)] == ["replied", "repeated"]
    assert post.said("mail.replied") == [{"mail": "a", "step": "a", "campaign": "mails", "message": post.message}]
    assert post.row().replied_at == instant("1h")


def test_a_reply_wakes_who_waits_for_it(db: Database) -> None:
    wait = "{wait_for: {match: {mail: {replied: a}}, up_to: 9d}}"
    post = posted(
        db, f"campaign: mails\ntopic: offers\nenter: {{event: signup}}\nsteps: [{{send: a}}, {wait}, {{send: b}}]\n"
    )
    post.site.pass_("30m")
    post.hears(Kind.REPLIED)
    post.site.run("2h")
    assert post.site.story().sent() == ["a at 0h", "b at 2h"]


def test_e9_an_automatic_answer_changes_nothing(db: Database) -> None:
    post = posted(db)
    assert post.hears(Kind.AUTORESPONDED) == "ignored"
    assert (post.row().replied_at, post.said("mail.replied")) == (None, [])


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.BOUNCED, Kind.REPLIED])
def test_e18_a_report_settles_an_unknown_outcome(db: Database, kind: Kind) -> None:
    post = posted(db, state="unknown")
    post.hears(kind)
    assert post.row().state == "sent"


def test_e18_a_delivery_says_nothing_new_of_a_mail_that_was_sent(db: Database) -> None:
    assert posted(db).hears(Kind.DELIVERED) == "ignored"


# --- leaving by mail ---

UNSUBSCRIBES = {"offers": "withdrawn", "news": "granted"}


def mailed(post: Post, token: str) -> str:
    return post.hears(Kind.UNSUBSCRIBED, marks=(), token=token)


def test_c19_a_mailed_token_unsubscribes_from_the_topic_of_its_mail_once(db: Database) -> None:
    post = posted(db)
    token = LINKS.unsubscribe(post.lead, "offers", post.message).rpartition("/")[2]
    assert [mailed(post, token), mailed(post, token)] == ["unsubscribed", "repeated"]
    assert {name: post.consents()[name] for name in UNSUBSCRIBES} == UNSUBSCRIBES
    assert len(post.said("consent.withdrawn")) == 1


def test_c16_c19_a_mailed_token_works_when_its_mail_is_no_longer_kept(db: Database) -> None:
    post = posted(db)
    assert mailed(post, LINKS.unsubscribe(post.lead, "offers", 4711).rpartition("/")[2]) == "unsubscribed"


def test_c19_a_tampered_token_changes_nothing(db: Database) -> None:
    post = posted(db)
    token = LINKS.unsubscribe(post.lead, "offers", post.message).rpartition("/")[2]
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x" + token[1:], LINKS.verp(post.message)):
        assert mailed(post, forged) == "forged"
    assert set(post.consents().values()) == {"granted"}


def test_c19_a_mailed_token_of_somebody_erased_does_nothing(db: Database) -> None:
    post = posted(db)
    assert mailed(post, LINKS.unsubscribe(4711, "offers", 1).rpartition("/")[2]) == "repeated"


@pytest.mark.parametrize(("owner", "to"), [("lea@shop.example", "lea@shop.example"), (None, "ops@shop.example")])
def test_c19_an_answer_that_wants_out_is_a_task_for_a_colleague_and_no_answer(
    db: Database, owner: str | None, to: str
) -> None:
    post = posted(db)
    alerts = msgspec.structs.replace(post.site.live.project.alerts, fallback="ops@shop.example")
    project = msgspec.structs.replace(post.site.live.project, alerts=alerts)
    post.site.live = replace(post.site.live, project=project)
    with db.write() as tx:
        tx.execute(leads.update().values(owner=owner))
    assert [post.hears(Kind.REPLIED, wants_out=True), post.hears(Kind.REPLIED, wants_out=True)] == ["asked", "repeated"]
    with db.read() as tx:
        told = tx.execute(messages.select().where(messages.c.kind == "notice")).all()
    assert [(row.recipient, row.template, row.lead_id) for row in told] == [(to, "feedback/wants_out", post.lead)]
    assert (post.said("mail.replied"), set(post.consents().values())) == ([], {"granted"})


# --- the Maildir ---


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "maildir" / name).mkdir(parents=True)
    return tmp_path / "maildir"


def put(maildir: Path, data: bytes, name: str = "1772442307.M1P2.mx") -> None:
    (maildir / "new" / name).write_bytes(data)


def there(maildir: Path) -> dict[str, int]:
    return {name: len(list((maildir / name).iterdir())) for name in ("new", "cur")}


def bounce(post: Post) -> bytes:
    mark = post.mark()
    data = postfix("failed", "5.1.1", "smtp; 550 5.1.1 User unknown", "lead0@example.com")
    return data.replace(b"b+1a.mac", mark.encode()).replace(b"1a.mac", mark[2:].encode())


def read(post: Post, maildir: Path, **more: Any) -> dict[str, int]:
    with post.site.db.read() as tx:
        live = post.site._live(tx)
    return dict(Returns(Maildir(maildir), post.site.db, FEEDBACK, **more).read(live, instant("1h")))


def test_e25_a_bounce_is_acted_on_and_its_file_deleted(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(maildir, bounce(post))
    assert read(post, maildir) == {"bounced": 1}
    assert (post.scopes(), there(maildir)) == ({ALL: "bounce: 5.1.1"}, {"new": 0, "cur": 0})


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize(("point", "marked"), [("taken", False), ("committed", True)])
def test_e25_a_worker_killed_while_reading_leaves_the_report_and_it_counts_once(
    db: Database, maildir: Path, point: str, marked: bool
) -> None:
    post = posted(db)
    put(maildir, bounce(post))

    def crash(at: str) -> None:
        if at == point:
            raise Killed

    with pytest.raises(Killed):
        read(post, maildir, crash=crash)
    assert (there(maildir)["new"], post.row().bounced_at is not None) == (1, marked)
    assert read(post, maildir) == {"repeated" if marked else "bounced": 1}
    assert (there(maildir), len(post.said("mail.bounced"))) == ({"new": 0, "cur": 0}, 1)


def test_e25_without_a_database_the_report_stays(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(maildir, bounce(post))

    def crash(_at: str) -> None:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        read(post, maildir, crash=crash)
    assert there(maildir)["new"] == 1


def test_e24_a_forged_report_is_kept_for_a_person(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(maildir, bounce(post).replace(post.mark()[-6:].encode(), b"aaaaaa"))
    assert read(post, maildir) == {"forged": 1}
    assert (post.scopes(), there(maildir)) == ({}, {"new": 0, "cur": 1})


def test_a_reply_is_kept_as_seen(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(maildir, f"From: a@example.com\nIn-Reply-To: <{post.mark()[2:]}@shop.example>\n\nYes please!\n".encode())
    assert read(post, maildir) == {"replied": 1}
    assert [f.name for f in (maildir / "cur").iterdir()] == ["1772442307.M1P2.mx:2,S"]


def test_e9_an_absence_note_is_deleted(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(
        maildir,
        f"From: a@example.com\nTo: <{post.mark()}@shop.example>\nAuto-Submitted: auto-replied\n\nAway.\n".encode(),
    )
    assert read(post, maildir) == {"ignored": 1}
    assert (there(maildir), post.row().replied_at) == ({"new": 0, "cur": 0}, None)


def test_a_folder_that_is_no_maildir_is_named(db: Database, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Maildir"):
        Maildir(tmp_path).check()


def test_a_mail_that_cannot_be_read_is_put_aside_and_the_next_one_counts(db: Database, maildir: Path) -> None:
    post = posted(db)
    put(maildir, b"\xff\xfe\x00" * 50, "1")
    put(maildir, bounce(post), "2")
    assert read(post, maildir) == {"ignored": 1, "bounced": 1}
    assert there(maildir) == {"new": 0, "cur": 1}


def test_x12_words_of_others_are_stored_without_what_a_database_does_not_take(db: Database) -> None:
    post = posted(db)
    post.hears(Kind.BOUNCED, hard=True, status="\x00" * 5)
    post.hears(Kind.COMPLAINED, raw="a\x00b\u2028" + "x" * 100)
    assert post.scopes() == {ALL: "bounce: hard", MARKETING: "complaint: ab" + "x" * 58}

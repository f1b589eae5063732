"""Somebody fills in forms with other people's addresses (trust X18), on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from nurture.campaign.project import Form, Project, Topic
from nurture.engine.confirming import ASKED, REFUSED, Confirming
from nurture.engine.consent import ConsentRules, change
from nurture.engine.flood import judge
from nurture.engine.forms import Submission, submit
from nurture.lead.consent import Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.mail.provider import provider_of
from nurture.store import suppressions, tallies
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from nurture.web.access import network_of
from nurture.web.throttle import Throttle

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FORM = Form("guide", {}, {"en": "The guide"}, ("letter",))
PROJECT = Project(
    name="acme", topics={"letter": Topic("letter", wording={"en": "Yes, the letter."})}, forms={"guide": FORM}
)
KEYRING = Keyring(["secret"])


def rules(**bounds: int) -> ConsentRules:
    return ConsentRules(PROJECT, KEYRING, {}, provider_of, Confirming(**bounds))


def sign_up(db: Database, emails: Sequence[str], judged: ConsentRules, at: datetime = NOW, by: str = "person") -> None:
    """What the form does with each, in one batch."""
    with db.write() as tx:
        calls = [LeadCall(columns={"email": email}, fill_only=True) for email in emails]
        leads = upsert_leads(tx, calls, project=PROJECT, keyring=KEYRING, now=at)
        said = [Declaration(w.lead, "letter", "grant", by, by, at, Proof(method="form")) for w in leads]  # type: ignore[arg-type]
        change(tx, said, judged, at)


def mails(db: Database) -> int:
    with db.read() as tx:
        return tx.execute(select(func.count()).select_from(t.messages)).scalar() or 0


def test_x18_ten_thousand_submits_for_one_victim_are_one_mail(db: Database) -> None:
    for _ in range(10):
        sign_up(db, ["victim@example.com"] * 1_000, rules())
    assert mails(db) == 1


def test_x18_one_victim_gets_three_mails_and_never_another(db: Database) -> None:
    for day in range(30):
        sign_up(db, ["victim@example.com"] * 20, rules(), NOW + timedelta(days=day))
    assert mails(db) == 3


def test_x18_ten_thousand_victims_are_as_many_mails_as_the_hour_allows(db: Database) -> None:
    for batch in range(10):
        sign_up(db, [f"v{batch}-{n}@d{batch}-{n}.example" for n in range(1_000)], rules(an_hour=300))
    assert mails(db) == 300


def test_x18_ten_thousand_victims_of_one_domain_are_as_many_mails_as_a_domain_gets(db: Database) -> None:
    for batch in range(10):
        sign_up(db, [f"v{batch}-{n}@company.example" for n in range(1_000)], rules())
    assert mails(db) == 50


def test_x18_the_domain_of_a_large_provider_has_no_bound_of_its_own(db: Database) -> None:
    sign_up(db, [f"v{n}@gmail.com" for n in range(200)], rules(a_domain=10))
    assert mails(db) == 200


def test_x18_the_bound_holds_over_the_hour_and_is_open_again_in_the_next(db: Database) -> None:
    for minute in (0, 20, 59, 60):
        sign_up(db, [f"v{minute}-{n}@gmail.com" for n in range(10)], rules(an_hour=15), NOW + timedelta(minutes=minute))
    assert mails(db) == 15 + 10


def test_x18_who_was_kept_back_is_asked_when_they_try_again_later(db: Database) -> None:
    sign_up(db, ["a@gmail.com", "b@gmail.com"], rules(an_hour=1))
    sign_up(db, ["b@gmail.com"], rules(an_hour=1), NOW + timedelta(hours=1))
    assert mails(db) == 2


def test_x18_processes_that_send_at_once_share_the_bound(db: Database) -> None:
    def one(worker: int) -> None:
        for n in range(5):
            sign_up(db, [f"v{worker}-{n}-{k}@gmail.com" for k in range(4)], rules(an_hour=30))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert mails(db) == 30


def test_x18_what_the_operator_asks_for_has_no_such_bound(db: Database) -> None:
    with db.write() as tx:
        calls = [LeadCall(columns={"email": f"v{n}@gmail.com"}) for n in range(20)]
        leads = upsert_leads(tx, calls, project=PROJECT, keyring=KEYRING, now=NOW)
        said = [Declaration(w.lead, "letter", "request", "campaign", "campaign", NOW, Proof("step")) for w in leads]
        change(tx, said, rules(an_hour=5), NOW)
    assert mails(db) == 20


@pytest.mark.parametrize("reason", ["complaint", "bounced: 550 5.1.1"])
def test_x18_an_address_that_complained_or_bounced_gets_no_confirmation(db: Database, reason: str) -> None:
    with db.write() as tx:
        suppressions.suppress(tx, [(KEYRING.address_hash("victim@example.com"), "all", reason)], NOW)
    sign_up(db, ["victim@example.com"], rules())
    assert mails(db) == 0


@pytest.mark.parametrize(("addresses", "expected"), [(1, 60), (500, 400)])
def test_x18_submits_from_one_address_or_five_hundred_are_as_many_as_allowed(
    db: Database, addresses: int, expected: int
) -> None:
    """Every network has its bound, and so have all of them together."""
    throttle, judged, taken = Throttle(60, 400), rules(), 0
    networks = [network_of(f"10.{n // 250}.{n % 250}.7") for n in range(addresses)]
    with db.write() as tx:
        for n in range(1_500):
            if not throttle.allows(tx, networks[n % addresses], NOW):
                continue
            taken += 1
            submit(tx, Submission(FORM, None, f"v{n}@gmail.com", {}, ["letter"], {}, Proof("form")), judged, NOW)
    assert (taken, mails(db)) == (expected, expected)


# --- somebody is told


HOUR = {NOW - timedelta(hours=n): 5 for n in range(1, 168)}


def test_x18_ten_times_the_usual_is_a_flood() -> None:
    assert judge({**HOUR, NOW: 120}, {}, NOW) == "120 confirmation mails within an hour; 5.0 are usual"


@pytest.mark.parametrize("asked", [{**HOUR, NOW: 99}, dict.fromkeys(HOUR, 50) | {NOW: 300}, {}])
def test_x18_a_few_more_than_usual_are_none(asked: dict[datetime, int]) -> None:
    assert judge(asked, {}, NOW) is None


def test_x18_mails_kept_back_are_a_flood() -> None:
    assert judge({}, {NOW: 7}, NOW) == "7 confirmation mails were kept back within an hour: too many sign-ups at once"


def test_x18_what_was_sent_and_kept_back_is_counted_by_the_hour(db: Database) -> None:
    sign_up(db, [f"v{n}@gmail.com" for n in range(20)], rules(an_hour=15))
    with db.read() as tx:
        found = [tallies.by_slot(tx, tallies.ASKED, name, NOW) for name in (ASKED, REFUSED)]
    assert found == [{NOW: 15}, {NOW: 5}]


def test_x18_counts_are_forgotten(db: Database) -> None:
    sign_up(db, ["a@gmail.com"], rules())
    with db.write() as tx:
        tallies.prune(tx, [tallies.ASKED], NOW + timedelta(hours=1))
        assert tallies.by_slot(tx, tallies.ASKED, ASKED, NOW - timedelta(days=1)) == {}

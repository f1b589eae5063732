"""Walking from step to step (S16–S21)."""

from __future__ import annotations

from nurture.engine.advance import Pass, advance_batch
from nurture.store.database import Database
from nurture.store.scope import Scope
from tests.journeys.world import Site, did, instant, person, tell

WINDOW = 'window: {days: mon-sat, between: "09:00-20:00"}'
SATURDAY_NIGHT = "5d11h"  # 21:00


def walk(steps: str, *, name: str = "walk", enter: str = "{event: signup}", more: str = "") -> str:
    return f"campaign: {name}\ntopic: offers\nenter: {enter}\nsteps: {steps}\n{more}\n"


def test_s16_a_date_already_past_goes_on_at_once_and_what_follows_is_late() -> None:
    story = tell(
        walk("[{wait: {date: 2026-02-20T09:00}}, {send: invitation, if_late: {after: 1d, do: skip}}, {tag: on}]"),
        events=[did("0h", "signup")],
    )
    assert story.said("skipped", "tagged") == ["skipped invitation late at 0h", "tagged on at 0h"]


def test_s16_late_is_measured_from_when_the_step_was_due_whatever_held_it_back() -> None:
    text = walk("[{wait: 1d}, {send: tip, if_late: {after: 30h, do: skip}}]", more=WINDOW)
    # Due on Saturday at 21:00; it can go on Monday at 9:00, 36 hours later.
    assert tell(text, events=[did("4d11h", "signup")]).said("skipped") == ["skipped tip late at 5d11h"]
    assert tell(text.replace("30h", "37h"), events=[did("4d11h", "signup")]).sent() == ["tip at 6d23h"]


def test_s16_a_deferral_does_not_move_due() -> None:
    text = walk(
        "[{send: one}, {send: two, if_late: {after: 7d, do: skip}}]",
        more=WINDOW,
    )
    cap = "caps: {marketing: {at_most: 1, per: 10d}}"
    assert tell(text, events=[did("0h", "signup")], more=cap).said("skipped") == ["skipped two late at 0h"]


def test_s17_a_wait_counts_from_when_it_is_reached() -> None:
    story = tell(walk("[{send: one}, {wait: 1d}, {send: two}]", more=WINDOW), events=[did(SATURDAY_NIGHT, "signup")])
    assert story.sent() == ["one at 6d23h", "two at 7d23h"]


def test_s18_a_mail_waits_until_the_one_before_it_has_left(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(walk("[{send: one}, {send: two}]"))
    site.happens("0h", "signup")
    for minutes in range(5):
        site.pass_(f"{minutes}m" if minutes else "0h")
    assert site.outbox() == ["one pending"]


def test_s18_nor_does_it_overtake_one_on_the_wire(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(walk("[{send: one}, {send: two}]"))
    site.happens("0h", "signup")
    site.pass_("0h")
    site.on_the_wire()
    site.pass_("5m")
    assert site.outbox() == ["one sending"]


def test_s18_it_goes_as_soon_as_the_other_has_left_or_failed(db: Database) -> None:
    for state in ("sent", "failed", "unknown"):
        site = Site(db)
        site.join(person(len(state)))
        site.deploy(walk("[{send: one}, {send: two}]", name=state))
        site.happens("0h", "signup")
        site.pass_("0h")
        site.send("10s", state)
        site.advance("10s")
        assert site.outbox()[-1] == "two pending"


def test_s19_each_step_sees_what_the_steps_before_it_changed() -> None:
    story = tell(
        walk(
            """
            - tag: vip
            - branch: [{if: {tag: vip}, steps: [{set: {plan: gold}}]}, {else: [{set: {plan: none}}]}]
            - branch: [{if: {lead: {plan: gold}}, steps: [{move: mql}]}, {else: [{tag: no-gold}]}]
            - branch: [{if: {stage: mql}, steps: [{tag: all-seen}]}, {else: [{tag: no-mql}]}]
            """
        ).replace("steps: \n", "steps:\n"),
        events=[did("0h", "signup")],
    )
    assert story.said("tagged")[-1] == "tagged all-seen at 0h"


def test_s19_an_if_is_asked_when_its_step_is_reached() -> None:
    text = walk("[{wait: 1d}, {send: hint, if: {did_not: {event: login}}}, {send: bye}]")
    story = tell(text, events=[did("0h", "signup"), did("23h", "login")])
    assert story.said("skipped", "released") == ["skipped hint if at 1d", "released bye at 1d"]


def test_s19_and_of_a_mail_again_after_it_was_kept_back() -> None:
    text = walk("[{send: hint, if: {did_not: {event: login}}}]", more=WINDOW)
    story = tell(text, events=[did(SATURDAY_NIGHT, "signup"), did("6d", "login")])
    assert story.said("skipped") == ["skipped hint if at 6d23h"]


def test_s19_all_events_accepted_by_then_are_seen() -> None:
    text = walk("[{wait: 1d}, {branch: [{if: {did: {event: login}}, steps: [{tag: seen}]}]}]")
    assert tell(text, events=[did("0h", "signup"), did("1d", "login")]).said("tagged") == ["tagged seen at 1d"]


def test_s19_more_than_a_hundred_steps_at_once_fail_the_enrollment() -> None:
    steps = ", ".join(f"{{tag: t{n}}}" for n in range(120))
    assert tell(walk(f"[{steps}]"), events=[did("0h", "signup")]).ends() == ["failed(too many steps)"]


def test_s19_a_hundred_steps_with_a_wait_between_do_not() -> None:
    steps = ", ".join([*(f"{{tag: t{n}}}" for n in range(70)), "{wait: 1h}", *(f"{{tag: u{n}}}" for n in range(70))])
    assert tell(walk(f"[{steps}]"), events=[did("0h", "signup")]).ends() == ["finished"]


def moving(name: str, stage: str, priority: int = 50, wait: str = "1h") -> str:
    return walk(f"[{{wait: {wait}}}, {{move: {stage}}}]", name=name, more=f"priority: {priority}")


def test_s20_of_one_lead_one_enrollment_is_decided_in_a_batch(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(moving("a", "mql"), moving("b", "sql"))
    site.happens("0h", "signup")
    site.run("0h")
    with db.write() as tx:
        assert advance_batch(tx, site.live, Scope(instant("1h")), Pass()) == 1  # type: ignore[arg-type]


def test_s20_the_higher_priority_goes_first_and_the_other_finds_it_moved() -> None:
    story = tell(moving("a", "mql", 10), moving("b", "sql", 90), events=[did("0h", "signup")])
    assert story.said("moved", "move_refused") == ["moved sql at 1h", "move_refused mql not allowed at 1h"]


def test_s20_with_equal_priority_the_name_decides() -> None:
    story = tell(moving("b", "mql"), moving("a", "sql"), events=[did("0h", "signup")])
    assert story.said("moved", "move_refused") == ["moved sql at 1h", "move_refused mql not allowed at 1h"]


def test_s20_then_the_key() -> None:
    text = walk(
        "[{wait: 1h}, {branch: [{if: {entry: {total: 1}}, steps: [{move: mql}]}, {else: [{move: sql}]}]}]",
        enter="{event: cart_updated, key: cart_id}",
    )
    events = [did("0h", "cart_updated", cart_id="b", total=1), did("0h", "cart_updated", cart_id="a", total=2)]
    assert tell(text, events=events).said("moved", "move_refused")[0] == "moved sql at 1h"


def test_s20_the_earliest_due_goes_before_priority_however_it_was_held_back(db: Database) -> None:
    site = Site(db)
    site.join(person())
    low = walk("[{send: note}, {move: mql}]", name="low", more=f"priority: 1\n{WINDOW}")
    site.deploy(low, moving("high", "sql", 99, "10h"))
    site.happens("12h", "signup")
    site.run("12h")  # 22:00: the mail, due now, is looked at again at 9:00; the other is due and looked at at 8:00
    site.run("1d")
    story = site.story()
    assert [line.campaign for line in story.lines if line.what == "moved"] == ["low", "high"]


def mailing(name: str, wait: str) -> str:
    return walk(f"[{{wait: {wait}}}, {{send: {name}}}]", name=name)


def test_s21_after_an_outage_a_lead_gets_one_late_mail_a_pass(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(mailing("one", "1h"), mailing("two", "2h"), mailing("three", "3h"))
    site.happens("0h", "signup")
    site.run("0h")
    seen = []
    for second in (0, 1, 2):
        site.pass_(f"10d{second}s" if second else "10d")
        seen.append(site.outbox())
        site.send(f"10d{second}s" if second else "10d")
    assert [len(mails) for mails in seen] == [1, 2, 3]


def test_s21_the_earliest_due_goes_first(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(mailing("one", "3h"), mailing("two", "1h"))
    site.happens("0h", "signup")
    site.run("0h")
    site.pass_("10d")
    assert site.outbox() == ["two pending"]


def test_s21_service_mail_is_not_kept_back(db: Database) -> None:
    site = Site(db)
    site.join(person())
    service = walk("[{wait: 2h}, {send: bill, class: service}]", name="bill")
    site.deploy(mailing("one", "1h"), service)
    site.happens("0h", "signup")
    site.run("0h")
    site.pass_("10d")
    assert sorted(site.outbox()) == ["bill pending", "one pending"]


def test_s21_the_arm_of_a_split_is_kept_through_every_round() -> None:
    text = walk(
        """
        - repeat:
            every: 1d
            at_most: 4
            steps: [{split: {a: 50%, b: 50%}, arms: {a: [{tag: a}], b: [{tag: b}]}}]
        """
    ).replace("steps: \n", "steps:\n")
    people = [person(n) for n in range(6)]
    story = tell(text, people=people, events=[did("0h", "signup", who=n) for n in range(6)])
    arms = [{line.detail for line in story.lines if line.what == "drew" and line.lead == lead} for lead in story.leads]
    assert [len(drawn) for drawn in arms] == [1] * 6


def test_s21_both_arms_are_drawn_over_many_leads() -> None:
    text = walk("[{split: {a: 50%, b: 50%}, arms: {a: [{tag: a}], b: [{tag: b}]}}]")
    people = [person(n) for n in range(40)]
    story = tell(text, people=people, events=[did("0h", "signup", who=n) for n in range(40)])
    assert {line.detail for line in story.lines if line.what == "drew"} == {"a", "b"}

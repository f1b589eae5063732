"""The steps: what people, programs, servers and operators do, in any order, on the real program and on the model."""

from __future__ import annotations

import copy
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nurture.delivery.transport import Mail
from nurture.engine import consent, deploy, privacy
from nurture.engine.confirming import request_of
from nurture.engine.drafts import ConsentDraft, LeadDraft, WhoIs
from nurture.engine.import_batches import Ground as Import
from nurture.engine.import_batches import write_leads
from nurture.engine.recording import record
from nurture.engine.segment import Said
from nurture.lead.consent import ALL_MARKETING, Declaration, Proof
from nurture.lead.event import Happening
from nurture.mail.links import Purpose
from nurture.mail.report import Kind, Notice
from nurture.store.events import store_events
from tests.properties.permission.letter import Letter, read
from tests.properties.permission.model import ALL, DAY, LATER, SPELLINGS, Model, Person
from tests.properties.permission.world import CAP, CAP_PER, CLOSES, OPENS, SECRETS, Ground, Killed, Post, World

SPELLED = st.sampled_from(sorted(SPELLINGS))
EXTERNAL = st.sampled_from(["u1", "u2", "u3", "u4"])
COUNTRY = st.sampled_from(["US", "US", "FR", "CA", "SG"])
WHO = st.integers(0, 5)  # place among the leads there are
TOPIC = st.sampled_from([*LATER])
TOPIC_OR_ALL = st.sampled_from([*LATER, ALL, ALL])
CONSENTED = st.sampled_from(["letter", "club", "offers"])
BASIS = st.sampled_from([None, None, "consent", "soft_opt_in", "legitimate_interest"])
ANSWERS = st.lists(
    st.sampled_from(["accepted"] * 12 + ["deferred", "hard", "busy", "disliked", "lost", "taken and lost"]), max_size=4
)
VISITS = st.lists(st.tuples(EXTERNAL, st.sampled_from(["visit", "cart"])), min_size=1, max_size=4)
NAPS = [timedelta(minutes=1), timedelta(minutes=30), timedelta(hours=3), timedelta(hours=12), DAY, 2 * DAY, 8 * DAY]
LONG = [40 * DAY, 40 * DAY, 200 * DAY, 366 * DAY, 800 * DAY]
INTERRUPTIONS = ["unsubscribe", "leave", "leave all", "object", "erase", "complaint", "move", "restrict", "lease"]
POINTS = ["claimed", "gate", "gated", "dot", "result", "settling", "settled"]
counts: Counter[str] = Counter()  # over the whole run: what was done and what was sent


class Machine(RuleBasedStateMachine):
    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        counts["worlds"] += 1
        self.model = Model()
        self.letters: list[Letter] = []
        self.backup: tuple[Model, int, list[Letter]] | None = None
        self.world = World(self.ground, Post(self.begins, self.tried))
        self.seen = 0  # the latest message whose release was looked at
        self.joined: set[int] = set()
        self.dead: set[str] = set()  # mailboxes of which a server has said so, in the work under way

    def teardown(self) -> None:
        self.world.close()

    # --- what a server sees ---

    def begins(self, mail: Mail) -> None:
        """The content of a mail is about to be written: R1, C6, C17, C24, E14, whatever happened before."""
        model, now, letter = self.model, self.world.now, read(mail)
        counts[letter.kind] += 1
        event(f"DATA of a {letter.kind} mail")
        known = model.taken.get(letter.number)
        if known is None or letter.kind == "marketing":
            refusal = model.refusal(letter, now)
            assert refusal is None, f"{letter.kind} mail on '{letter.topic}' to {letter.recipient}: {refusal}"
        if letter.campaign == "letter" and letter.topic == "letter":
            assert OPENS <= now.hour < CLOSES, f"a mail in the quiet hours, at {now:%H:%M}"
        self._once(letter, known)
        if letter.kind == "confirm" and known is None:
            model.confirmations[SPELLINGS[letter.recipient]].append(now)

    def _once(self, letter: Letter, known: Letter | None) -> None:
        if known is not None:
            assert letter.number in self.model.again, f"message {letter.number} was sent twice"
            assert letter.message_id == known.message_id, "a mail sent again has another Message-ID (E6)"
            self.model.again.discard(letter.number)
        if letter.step:
            first = self.model.steps.setdefault(letter.step, letter.number)
            assert first == letter.number, f"step {letter.step} was sent as two mails"

    def tried(self, mail: Mail, answer: str) -> None:
        """The server has answered, or not."""
        letter, model = read(mail), self.model
        if answer in ("accepted", "taken and lost", "lost"):
            model.taken[letter.number] = letter
            self.letters.append(letter)
            if answer != "accepted" and letter.kind != "marketing":
                model.again.add(letter.number)  # owed: the same bytes go again (E18)
        elif answer == "hard":
            self.dead.add(SPELLINGS[letter.recipient])
        if answer in ("busy", "disliked") and letter.kind == "confirm" and letter.number not in model.taken:
            model.confirmations[SPELLINGS[letter.recipient]].pop()

    # --- who is who ---

    def who(self, place: int) -> int | None:
        there = sorted(self.model.people)
        return there[place % len(there)] if there else None

    def learn(self) -> None:
        """Who is there now, and who went into whom; what that means for consent is the model's own."""
        model, leads = self.model, self.world.leads()
        for lead in sorted(leads.keys() - model.people.keys()):
            box, country, made = leads[lead]
            model.people[lead] = Person(made, country)
            if box is not None:
                model.people[lead].box = box
        for lead in sorted(model.people.keys() - leads.keys()):
            keep = self.world.went_into(lead)
            assert keep is not None, f"lead {lead} is gone and went into nobody"
            self.joined.add(keep)
            if model.people[keep].box is None:
                model.people[keep].box = model.people[lead].box
            model.join(keep, lead, self.world.now)
        for lead, (box, country, _) in leads.items():
            person = model.people[lead]
            person.country = country
            if box is not None and box != person.box:
                model.move(lead, box, self.world.now)

    def upkeep(self) -> None:
        self.world.upkeep()

    def record(self, **said: Any) -> None:
        kind = said.pop("kind")
        with self.world.app.database.write() as tx:
            call = Said(kind, None, "", **said)
            record(tx, [(call, "api")], self.world.app.rules(), self.world.now, Counter())
        self.learn()

    # --- rules: people come ---

    @initialize(said=st.tuples(*[st.sets(TOPIC, min_size=3)] * 3), countries=st.tuples(*[COUNTRY] * 3))
    def three_are_there(self, said: tuple[set[str], ...], countries: tuple[str, ...]) -> None:
        for external, email, topics, country in zip(
            ("u1", "u2", "u3"), ("anna@example.com", "Jo@EXÄMPLE.de", "bo@example.org"), said, countries, strict=True
        ):
            self.identify(external, email, country)
            who = next(lead for lead, person in self.model.people.items() if person.box == SPELLINGS[email])
            for topic in sorted(topics - {"extra", "notices"}):
                self.agree(who, topic, None, True, "person")

    @rule(email=SPELLED, topics=st.sets(CONSENTED, min_size=1))
    def fill_in_the_form(self, email: str, topics: set[str]) -> None:
        self.upkeep()
        chosen = [topic for topic in ("letter", "club", "offers") if topic in topics]
        status, _ = self.world.run(
            self.world.http("POST", "/f/guide", [("email", email), *(("topics", topic) for topic in chosen)])
        )
        assert status == 200
        self.learn()
        who = next(lead for lead, person in self.model.people.items() if person.box == SPELLINGS[email])
        for topic in chosen:
            self.model.agree(who, topic, self.world.now, typed=True)

    @rule(external=EXTERNAL, email=SPELLED | st.none(), country=COUNTRY)
    def identify_somebody(self, external: str, email: str | None, country: str) -> None:
        self.identify(external, email, country)

    def identify(self, external: str, email: str | None, country: str) -> None:
        self.upkeep()
        traits = {"country": country} | ({"email": email} if email else {})
        self.record(kind="identify", external=external, traits=traits)

    @rule(one=EXTERNAL, other=EXTERNAL)
    def alias(self, one: str, other: str) -> None:
        self.upkeep()
        if one != other:
            self.record(kind="alias", external=one, previous=other)

    @rule(visits=VISITS)
    def visit(self, visits: list[tuple[str, str]]) -> None:
        """Leads do what campaigns listen to."""
        now = self.world.now
        calls = [
            (Said("track", None, "", external=external, event=name, properties={"cart_id": f"{now:%m%d%H%M%S}"}), "api")
            for external, name in visits
        ]
        with self.world.app.database.write() as tx:
            record(tx, calls, self.world.app.rules(), now, Counter())
        self.learn()

    @rule(place=WHO, name=st.sampled_from(["letter", "offers", "asks", "rest"]), key=st.integers(0, 9))
    def enroll(self, place: int, name: str, key: int) -> None:
        if (who := self.who(place)) is not None:
            properties = {"campaign": name, "cart_id": f"e{key}"}
            with self.world.app.database.write() as tx:
                now = self.world.now
                store_events(tx, [Happening(who, "enroll.requested", now, now, properties, source="person")])

    # --- rules: consent ---

    def declare(self, who: int, topic: str, action: Any, by: Any, method: str, basis: Any = None, **proof: Any) -> None:
        said = Declaration(
            who, ALL_MARKETING if topic == ALL else topic, action, by, by, self.world.now, Proof(method, **proof), basis
        )
        with self.world.app.database.write() as tx:
            consent.change(tx, [said], self.world.app.rules(), self.world.now)

    @rule(place=WHO, topic=TOPIC, basis=BASIS, proven=st.booleans(), by=st.sampled_from(["api", "api", "person"]))
    def grant_by_api(self, place: int, topic: str, basis: Any, proven: bool, by: str) -> None:
        if (who := self.who(place)) is not None:
            self.agree(who, topic, basis, proven, by)

    def agree(self, who: int, topic: str, basis: Any, proven: bool, by: str, lacks: str | None = None) -> None:
        """With all that a soft opt-in takes (trust C10), or without one thing of it."""
        soft = (basis or LATER[topic].basis) == "soft_opt_in"
        evidence: dict[str, Any] = {"log": 1} if proven else {}
        if soft:
            evidence |= {name: value for name, value in self.sale().items() if name != lacks}
        method = "double_opt_in" if proven else "checkbox"
        self.declare(who, topic, "grant", by, method, basis, evidence=evidence or None)
        sold = self.world.now if soft and lacks is None else None
        self.model.agree(who, topic, self.world.now, by, proven=proven, basis=basis, sold=sold)

    def sale(self) -> dict[str, Any]:
        return {"sale": "A-1", "sold_at": self.world.now.isoformat(), "objection_offered": True}

    @rule(place=WHO, topic=TOPIC, lacks=st.sampled_from(["sale", "sold_at", "objection_offered"]))
    def grant_a_soft_opt_in_that_lacks_something(self, place: int, topic: str, lacks: str) -> None:
        """Nobody is mailed on it."""
        if (who := self.who(place)) is not None:
            self.agree(who, topic, "soft_opt_in", False, "api", lacks)

    @rule(place=WHO, topic=TOPIC_OR_ALL, objects=st.booleans(), by=st.sampled_from(["api", "person", "operator"]))
    def say_no_by_api(self, place: int, topic: str, objects: bool, by: str) -> None:
        if (who := self.who(place)) is not None:
            self.say_no(who, topic, objects, by)

    def say_no(self, who: int, topic: str, objects: bool = False, by: str = "person") -> None:
        self.declare(who, topic, "object" if objects else "withdraw", by, "page")
        self.model.leave(who, topic, self.world.now, objects=objects)

    @rule(external=EXTERNAL, email=SPELLED, topic=TOPIC, no=st.booleans(), age=st.sampled_from([0, 30, 300, 900]))
    def import_again(self, external: str, email: str, topic: str, no: bool, age: int) -> None:
        """A row that overwrites what it names; whoever said no stays out (C13)."""
        self.upkeep()
        at = self.world.now - age * DAY
        state = "withdrawn" if no else "granted"
        sale = {"sale": "A-0", "sold_at": at.isoformat(), "objection_offered": True}
        said = ConsentDraft(topic, LATER[topic].basis, at, "old system", state, sale=sale)  # type: ignore[arg-type]
        ground = Import(self.world.app.rules(), self.world.now, "old.csv")
        draft = LeadDraft(WhoIs(external, email), {"country": "US"}, {}, consent=said)
        with self.world.app.database.write() as tx:
            [who] = write_leads(tx, ground, [(1, draft)]).leads
        self.learn()
        if no:
            self.model.leave(who, topic, self.world.now)
        else:
            self.model.agree(who, topic, self.world.now, "import", at=at, sold=at)

    # --- rules: what is pressed in a mail ---

    def letter(self, place: int, wanted: Callable[[Letter], object]) -> Letter | None:
        found = [letter for letter in self.letters if wanted(letter)]
        return found[-1 - place % len(found)] if found else None

    def reader(self, letter: Letter) -> int | None:
        """Whose links these are: the lead they were made for, or the one it went into."""
        token = (letter.unsubscribe or letter.preferences or "").rpartition("/")[2]
        payload = self.world.app.links.read(Purpose.UNSUBSCRIBE, token) or self.world.app.links.read(
            Purpose.PREFERENCES, token
        )
        assert payload is not None, "a link that takes consent back never ceases to work (C16)"
        return self.present(int(payload[0]))

    def present(self, lead: int) -> int | None:
        while lead not in self.model.people:
            went = self.world.went_into(lead)
            if went is None:
                return None
            lead = went
        return lead

    @rule(place=st.integers(0, 9))
    def one_click(self, place: int) -> None:
        self.world.run(self.unsubscribe(place))

    async def unsubscribe(self, place: int) -> None:
        letter = self.letter(place, lambda letter: letter.unsubscribe)
        if letter is None or letter.unsubscribe is None:
            return
        who = self.reader(letter)
        status, _ = await self.world.http("POST", letter.unsubscribe, [("List-Unsubscribe", "One-Click")])
        assert status == 200
        if who is not None:
            self.model.leave(who, letter.topic, self.world.now)

    @rule(place=st.integers(0, 3))
    def confirm(self, place: int) -> None:
        """Only what was asked for, at the address the link went to, within seven days, becomes a yes (C7)."""
        letter = self.letter(place, lambda letter: letter.confirm)
        if letter is None or letter.confirm is None:
            return
        payload = self.world.app.links.read(Purpose.CONFIRM, letter.confirm)
        who = self.present(int(payload[0])) if payload is not None else None
        before = dict(self.world.consents())
        status, _ = self.world.run(self.world.http("POST", f"/c/{letter.confirm}"))
        assert status == 200
        after = self.world.consents()
        changed = [topic for (lead, topic), state in after.items() if before.get((lead, topic)) != state]
        if not changed:
            return
        assert payload is not None
        assert who is not None
        person, now = self.model.people[who], self.world.now
        for topic in changed:
            word = person.words[topic]
            assert word.state == "requested", f"'{topic}' was {word.state} and is confirmed"
            assert int(payload[2]) >= request_of(word.since), "the link is older than the request"
            assert now.timestamp() - int(payload[2]) <= 7 * 86_400, "the link is too old"
            assert person.box not in self.model.complained, "who complained was brought back"
        counts["confirmed"] += 1
        self.model.confirm(who, changed, now)

    confirm_soon = press_the_link = confirm

    @rule(place=st.integers(0, 5), wanted=st.sets(TOPIC), button=st.sampled_from(["", "", "all", "pause-1", "unpause"]))
    def choose_preferences(self, place: int, wanted: set[str], button: str) -> None:
        letter = self.letter(place, lambda letter: letter.preferences)
        if letter is None or letter.preferences is None:
            return
        self.upkeep()
        who, now = self.reader(letter), self.world.now
        _, page = self.world.run(self.world.http("GET", letter.preferences))
        mark = re.search(r'name="form" value="([^"]+)"', page)
        assert mark is not None
        shown = [topic for topic in self.model.topics if topic != "notices"]
        ticked = [topic for topic in shown if topic in wanted]
        fields = [("form", mark[1]), *(("shown", t) for t in shown), *(("topic", t) for t in ticked)]
        status, _ = self.world.run(
            self.world.http("POST", letter.preferences, [*fields, ("do", button)] if button else fields)
        )
        assert status == 200
        if who is None:
            return
        match button:
            case "all":
                self.model.leave(who, ALL, now)
            case "pause-1" | "unpause":
                self.model.rest(who, 1 if button == "pause-1" else 0, now)
            case _:
                self._chosen(who, shown, ticked)

    def _chosen(self, who: int, shown: list[str], ticked: list[str]) -> None:
        now, person = self.world.now, self.model.people[who]
        before = {topic: self.model.state(person, topic, now) for topic in shown}
        for topic in shown:
            if topic in ticked and before[topic] != "granted":
                self.model.agree(who, topic, now)
            elif topic not in ticked and before[topic] in ("granted", "requested"):
                self.model.leave(who, topic, now)

    # --- rules: what is heard of mails ---

    def hear(self, letter: Letter, kind: Kind, **said: Any) -> str:
        mark = self.world.app.links.verp(letter.number)
        notice = Notice(kind=kind, marks=(mark,), original=letter.recipient, **said)
        [taken] = self.world.turn(lambda turn: self.world.app.feedback("test").take(turn, [notice], self.world.now))
        return taken

    def lead_of(self, letter: Letter) -> int | None:
        row = next((row for row in self.world.messages() if row.id == letter.number), None)
        return None if row is None else row.lead_id

    @rule(place=st.integers(0, 5))
    def complain(self, place: int) -> None:
        self.complained(place)

    def complained(self, place: int) -> None:
        letter = self.letter(place, lambda letter: letter.kind == "marketing")
        if letter is None:
            return
        who = self.lead_of(letter)
        if self.hear(letter, Kind.COMPLAINED, raw="abuse") == "complained" and who is not None:
            self.model.complain(who, self.world.now)

    @rule(place=st.integers(0, 5))
    def bounce(self, place: int) -> None:
        letter = self.letter(place, lambda letter: True)
        if letter is None:
            return
        who = self.lead_of(letter)
        told = self.hear(letter, Kind.BOUNCED, status="5.1.1", code=550, text="no such user")
        if told == "bounced" and who is not None:  # the mailbox it went to, whosever it is by now
            self.model.shut[SPELLINGS[letter.recipient]].add("all")

    # --- rules: rights, operators ---

    @rule(place=WHO)
    def erase(self, place: int) -> None:
        if (who := self.who(place)) is not None:
            self.erased(who)

    def erased(self, who: int) -> None:
        self.world.app.erase(who, "operator")
        self.model.erase(who)

    @rule(place=WHO, restricted=st.booleans())
    def restrict(self, place: int, restricted: bool) -> None:
        if (who := self.who(place)) is not None:
            self.restricted(who, restricted)

    def restricted(self, who: int, restricted: bool) -> None:
        with self.world.app.database.write() as tx:
            privacy.restrict(tx, who, restricted, "operator", self.world.now, None)
        self.model.people[who].restricted = restricted

    @rule(
        name=st.sampled_from([None, "letter", "offers"]),
        spare=st.booleans(),
        resume=st.sampled_from([True, True, False]),
    )
    def pause_or_resume(self, name: str | None, spare: bool, resume: bool) -> None:
        with self.world.app.database.write() as tx:
            if resume:
                deploy.resume(tx, name, self.world.now)
                deploy.resume(tx, None, self.world.now)
            else:
                deploy.pause(tx, name, self.world.now, spare_service=spare and name is None)

    @rule(version=st.integers(0, 1))
    def deploy(self, version: int) -> None:
        if version >= self.world.version:  # a topic that people agreed to is not taken away again here
            self.world.deploy(version)
            self.model.topics = LATER if version else self.model.topics

    @rule(place=st.integers(0, 3), verdict=st.sampled_from(["sent", "resend"]))
    def resolve_unknown(self, place: int, verdict: str) -> None:
        unknown = self.world.messages("unknown")
        if unknown:
            message = unknown[place % len(unknown)].id
            if self.world.resolve(message, verdict) and verdict == "resend":
                self.model.again.add(message)

    @rule(secrets=st.integers(2, 3))
    def rotate_keys(self, secrets: int) -> None:
        self.world.stop(kindly=True)
        self.world.secrets = tuple(reversed(SECRETS[:secrets]))
        self.world.start()

    # --- rules: time, work, accidents ---

    @rule(nap=st.sampled_from(NAPS))
    def wait(self, nap: timedelta) -> None:
        self.world.clock.advance(nap)

    @precondition(lambda self: len(self.letters) > 5)
    @rule(nap=st.sampled_from(LONG))
    def wait_long(self, nap: timedelta) -> None:
        self.world.clock.advance(nap)

    @rule()
    def play(self) -> None:
        self.world.play()
        self.learn_requests()

    def learn_requests(self) -> None:
        """Campaigns ask for confirmations by themselves."""
        for (who, topic), state in self.world.consents().items():
            person = self.model.people[who]
            if state == "requested" and self.model.state(person, topic, self.world.now) in ("none", "expired"):
                assert topic == "letter", "a campaign asks for this topic only"
                assert not self.model.shut[person.box or ""] & {"all", "marketing", topic}, "asked who said no"
                self.model.agree(who, topic, self.world.now, "campaign")

    @rule(nap=st.sampled_from(NAPS), visits=VISITS, answers=ANSWERS)
    def work(self, nap: timedelta, visits: list[tuple[str, str]], answers: list[str]) -> None:
        self.visit(visits)
        self.world.clock.advance(nap)
        self.work_through(answers)

    work_on = work_more = keep_working = work  # more often than other things happen

    @rule(nap=st.sampled_from(NAPS), visits=VISITS, answers=ANSWERS)
    def work_with_upkeep(self, nap: timedelta, visits: list[tuple[str, str]], answers: list[str]) -> None:
        self.visit(visits)
        self.world.clock.advance(nap)
        self.upkeep()
        self.work_through(answers)

    @rule(
        nap=st.sampled_from(NAPS),
        visits=VISITS,
        point=st.sampled_from(["claimed", "gated", "dot"]),
        act=st.sampled_from(INTERRUPTIONS),
        place=WHO,
        email=SPELLED,
        answers=ANSWERS,
    )
    def work_and_be_interrupted(
        self,
        nap: timedelta,
        visits: list[tuple[str, str]],
        point: str,
        act: str,
        place: int,
        email: str,
        answers: list[str],
    ) -> None:
        """Somebody says no between a claim and the gate, between the gate and DATA, behind the dot (E14, C24)."""
        self.visit(visits)
        self.world.clock.advance(nap)
        self.world.post.between[point] = lambda: self.interrupt(act, place, email)
        self.work_through(answers)
        self.world.post.between.clear()

    async def interrupt(self, act: str, place: int, email: str) -> None:
        counts[f"interrupted: {act}"] += 1
        who = self.who(place)
        match act:
            case "unsubscribe":
                await self.unsubscribe(place)
            case "complaint":
                self.complained(place)
            case "lease":
                self.model.again |= {row.id for row in self.world.messages("sending") if row.service}
                self.world.take_over(later=timedelta(minutes=5))
            case _ if who is None:
                return
            case "leave" | "object":
                self.say_no(who, ["letter", "offers", "table"][place % 3], act == "object")
            case "leave all":
                self.say_no(who, ALL)
            case "erase":
                self.erased(who)
            case "move":
                self.upkeep()
                self.record(kind="identify", external=f"u{1 + place % 4}", traits={"email": email})
            case "restrict":
                self.restricted(who, True)

    def work_through(self, answers: list[str]) -> None:
        self.world.post.answers = list(answers)
        self.play()
        sending: Coroutine[Any, Any, None] = self.world.send()
        before = len(self.letters)
        self.world.run(sending)
        counts["works that sent"] += len(self.letters) > before
        self.world.post.answers = []
        self.bury(self.dead)

    def bury(self, boxes: set[str]) -> None:
        for box in boxes:
            self.model.shut[box].add("all")
        self.dead = set()

    @rule(nap=st.sampled_from(NAPS), visits=VISITS, point=st.sampled_from(POINTS), answers=ANSWERS)
    def be_killed(self, nap: timedelta, visits: list[tuple[str, str]], point: str, answers: list[str]) -> None:
        """The worker dies at this point, and another one takes over."""
        self.visit(visits)
        self.world.clock.advance(nap)
        self.world.kill_at = point
        taking = self.world.post.tried
        if point == "dot":  # it may have been written: the server has it, for all we know
            self.world.post.begins = lambda mail: (self.begins(mail), self.tried(mail, "taken and lost"))[0]
        try:
            self.work_through(answers)
        except Killed:
            counts[f"killed: {point}"] += 1
            # What a server said to the dead is known only where it was written.
            self.bury({box for box in self.dead if "all" in self.world.shut().get(box, ())})
        finally:
            self.world.post.begins, self.world.post.tried = self.begins, taking
            self.world.post.answers = []
        self.world.stop(kindly=False)
        self.world.start()

    @rule()
    def back_up(self) -> None:
        place = self.world.folder / "backup.db"
        place.unlink(missing_ok=True)
        source, target = sqlite3.connect(self.world.folder / "nurture.db"), sqlite3.connect(place)
        source.backup(target)
        source.close()
        target.close()
        self.backup = (copy.deepcopy(self.model), self.world.version, list(self.letters))

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """A no since the backup holds (C25)."""
        assert self.backup is not None
        self.world.stop(kindly=True)
        self.world.put(self.world.folder / "backup.db")
        then, self.world.version, self.letters = copy.deepcopy(self.backup[0]), self.backup[1], list(self.backup[2])
        self.model.restore(then)
        self.world.start()
        self.seen = 0

    # --- what holds after each of them ---

    @invariant()
    def nothing_is_otherwise(self) -> None:
        counts["steps"] += 1
        self._words()
        self._cap()
        self.world.clock.advance(timedelta(seconds=1))  # a step takes time

    def _words(self) -> None:
        """Every word and everything that is shut is as the model has it."""
        model, now = self.model, self.world.now
        expected = {
            (who, topic): state
            for who, person in model.people.items()
            for topic in person.words
            if (state := model.state(person, topic, now)) != "none"
        }
        found = self.world.consents()
        assert found == expected, f"words: found {unlike(found, expected)}, expected {unlike(expected, found)}"
        shut = {
            box: scopes | ({"marketing"} if box in model.complained else set()) for box, scopes in model.shut.items()
        }
        told, known = self.world.shut(), {box: scopes for box, scopes in shut.items() if scopes}
        assert told == known, f"shut: found {unlike(told, known)}, expected {unlike(known, told)}"

    def _cap(self) -> None:
        """Of one lead at most so many marketing mails are released in any time of that length (R11, S22)."""
        messages = self.world.messages()
        newest = max((row.id for row in messages), default=0)
        if newest > self.seen:
            released: dict[int, list[Any]] = {}
            for row in messages:
                if row.kind == "mail" and not row.service and row.lead_id and row.state not in ("cancelled", "failed"):
                    released.setdefault(row.lead_id, []).append((row.released_at, row.id))
            for lead in released.keys() - self.joined:
                for at, number in released[lead]:
                    within = [other for other, _ in released[lead] if at - CAP_PER < other <= at]
                    assert number <= self.seen or len(within) <= CAP, f"{len(within)} mails within the cap's time"
        self.seen = newest


def unlike(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    """What stands in the one and not so in the other."""
    return {key: value for key, value in one.items() if other.get(key) != value}

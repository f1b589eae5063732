"""Mail that comes back (trust E9, E23, E26): what is read out of it, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.mail.report import Kind, Notice, read_report
from tests.unit.mail.returned import CASES, ORIGINAL, VERP, Case, postfix

MARK = "b+1a.mac"


def one(data: bytes) -> Notice:
    [notice] = read_report(data)
    return notice


def test_e23_the_corpus_has_forty_reports_and_more() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_e23_recipient_action_and_code_are_read(case: Case) -> None:
    notice = one(case.data)
    got = (str(notice.kind), notice.recipient, notice.status, notice.code, notice.standard)
    assert got == (case.kind, case.recipient, case.status, case.code, case.standard)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_e24_every_report_names_our_mail_by_envelope_and_by_message_id(case: Case) -> None:
    assert {MARK, "1a.mac"} <= set(one(case.data).marks)


@pytest.mark.parametrize("case", [c for c in CASES if c.kind == "bounced"], ids=lambda case: case.name)
def test_e23_the_servers_words_are_kept_without_their_codes(case: Case) -> None:
    text = one(case.data).text
    assert text
    assert not text.startswith(("550", "5.1.1"))


def test_e23_a_continued_answer_is_one_text() -> None:
    [case] = [c for c in CASES if c.name == "gmail.unknown"]
    assert "Please try double-checking the recipient's email address" in one(case.data).text


def test_e23_a_report_about_two_recipients_is_two_notices() -> None:
    more = b"\r\n\r\nFinal-Recipient: rfc822; ben@example.com\r\nAction: delayed\r\nStatus: 4.2.2"
    data = postfix("failed", "5.1.1", "smtp; 550 5.1.1 unknown").replace(
        b"5.1.1 unknown\r\n\r\n--", b"5.1.1 unknown" + more + b"\r\n\r\n--"
    )
    assert [(n.recipient, str(n.kind)) for n in read_report(data)] == [
        ("anna@example.com", "bounced"),
        ("ben@example.com", "deferred"),
    ]


def test_e23_the_envelope_id_is_a_mark() -> None:
    data = postfix("failed", "5.1.1", "smtp; 550 5.1.1 unknown").replace(
        b"Reporting-MTA", b"Original-Envelope-Id: 77.env@acme.example\r\nReporting-MTA", 1
    )
    assert "77.env" in one(data).marks


def arf(kind: str = "abuse", original: str = ORIGINAL) -> bytes:
    return (
        "Return-Path: <>\nFrom: <abusedesk@isp.example>\nTo: <abuse@acme.example>\nSubject: FW: Your cart\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary="=_a"\n\n'
        "--=_a\nContent-Type: text/plain\n\nThis is an abuse report.\n\n--=_a\n"
        f"Content-Type: message/feedback-report\n\nFeedback-Type: {kind}\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n"
        f"Original-Mail-From: <{VERP}>\nOriginal-Rcpt-To: <anna@example.com>\n"
        "Arrival-Date: Mon, 2 Mar 2026 10:00:00 GMT\n"
        f"Source-IP: 192.0.2.1\n\n--=_a\nContent-Type: message/rfc822\n\n{original}\n--=_a--\n"
    ).encode()


@pytest.mark.parametrize("kind", ["abuse", "ABUSE", "fraud", "opt-out"])
def test_e26_a_complaint_names_mail_and_recipient(kind: str) -> None:
    notice = one(arf(kind))
    assert (notice.kind, notice.recipient, notice.marks[:2]) == (Kind.COMPLAINED, "anna@example.com", (MARK, "1a.mac"))


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus", "dmarc"])
def test_e26_other_feedback_is_no_complaint(kind: str) -> None:
    assert one(arf(kind)).kind == Kind.UNKNOWN


def test_e26_a_complaint_with_a_redacted_envelope_is_known_by_the_message_id() -> None:
    data = arf().replace(f"Original-Mail-From: <{VERP}>\n".encode(), b"")
    assert "1a.mac" in one(data).marks


def letter(headers: str, body: str = "I am away until Monday.") -> bytes:
    return f"From: Anna <anna@example.com>\nTo: <{VERP}>\nSubject: Re: Your cart\n{headers}\n{body}\n".encode()


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=x",
        "Precedence: auto_reply",
        "Precedence: bulk",
        "X-Autoreply: yes",
        "X-Auto-Response-Suppress: All",
        "Return-Path: <>",
        "List-Id: <list.example.com>",
    ],
)
def test_e9_an_automatic_answer_is_no_reply(header: str) -> None:
    assert one(letter(f"{header}\nIn-Reply-To: <1a.mac@acme.example>\n")).kind == Kind.AUTORESPONDED


def test_e9_an_answer_that_says_it_is_not_automatic_is_a_reply() -> None:
    notice = one(letter("Auto-Submitted: no\nIn-Reply-To: <1a.mac@acme.example>\n"))
    assert (notice.kind, notice.marks[0]) == (Kind.REPLIED, "1a.mac")


def test_a_reply_late_in_a_thread_is_known_by_its_references() -> None:
    notice = one(letter("In-Reply-To: <x@example.com>\nReferences: <1a.mac@acme.example>\n <x@example.com>\n"))
    assert notice.marks[:3] == ("x", "1a.mac", MARK)


def test_a_person_who_quotes_a_bounce_replies() -> None:
    body = "I got this: Delivery has failed. <bob@example.com>: 550 5.1.1 unknown"
    assert one(letter("In-Reply-To: <1a.mac@acme.example>\n", body)).kind == Kind.REPLIED


def test_a_read_receipt_is_no_reply() -> None:
    data = letter(
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n'
        "In-Reply-To: <1a.mac@acme.example>\n",
        "--b\nContent-Type: text/plain\n\nRead.\n--b\nContent-Type: message/disposition-notification\n\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n",
    )
    assert one(data).kind == Kind.AUTORESPONDED


@given(st.binary(max_size=400))
def test_e23_no_bytes_break_the_reader(data: bytes) -> None:
    assert read_report(data)


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=20))
def test_e23_a_damaged_report_never_breaks_the_reader(at: int, junk: bytes) -> None:
    data = CASES[0].data
    assert read_report(data[:at] + junk + data[at + len(junk) :])

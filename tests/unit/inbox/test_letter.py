"""What is read off a mail that came."""

from __future__ import annotations

from datetime import UTC, datetime

from nurture.inbox.letter import Letter

RAW = (
    b"From: Shop <shop@shop.example>\r\nTo: anna@example.com\r\nSubject: =?utf-8?q?Ceai_=C8=99i_miere?=\r\n"
    b"List-Unsubscribe: <http://127.0.0.1:8025/u/abc.def>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"
    b'--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html lang="ro"><a href="http://127.0.0.1:8025/c/t1.s">a</a>'
    b'<a href="http://127.0.0.1:8025/c/t1.s">b</a><a href="https://shop.example/p/1">c</a></html>\r\n--b--\r\n'
)


def a_letter(raw: bytes = RAW) -> Letter:
    return Letter(1, datetime(2026, 3, 2, tzinfo=UTC), "b+1@shop.example", "anna@example.com", raw)


def test_the_language_is_the_one_of_its_html() -> None:
    assert a_letter().language == "ro"


def test_the_subject_is_decoded() -> None:
    assert a_letter().subject == "Ceai și miere"


def test_links_to_the_project_are_found_once_and_others_not() -> None:
    assert a_letter().paths("http://127.0.0.1:8025") == ["c/t1.s"]


def test_the_one_click_address_is_the_one_of_the_header() -> None:
    assert a_letter().one_click == "http://127.0.0.1:8025/u/abc.def"


def test_without_its_second_header_there_is_no_one_click() -> None:
    assert a_letter(RAW.replace(b"List-Unsubscribe-Post", b"X-Other")).one_click == ""

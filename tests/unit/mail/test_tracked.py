"""Counted links: what is rewritten, and what never is."""

from __future__ import annotations

import pytest

from nurture.mail.tracked import count_links, count_openings, leads_out

OWN = "https://news.acme.example/mail"


def counted(text: str) -> tuple[str, list[str]]:
    return count_links(text, OWN, lambda n: f"{OWN}/r/{n}")


def test_c20_a_link_to_a_page_is_rewritten() -> None:
    html, pages = counted('<p><a class="x" href="https://shop.example/a?b=1&amp;c=2">go</a></p>')
    assert html == f'<p><a class="x" href="{OWN}/r/0">go</a></p>'
    assert pages == ["https://shop.example/a?b=1&c=2"]


def test_c20_one_page_linked_twice_has_one_number() -> None:
    _, pages = counted(
        '<a href="https://a.example">1</a><a href=\'https://b.example\'>2</a><a href="https://a.example">3</a>'
    )
    assert pages == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    "href", [f"{OWN}/u/token", OWN, "mailto:anna@example.com", "#top", "tel:+40123", "https:evil", "/relative"]
)
def test_c20_our_own_pages_and_what_is_no_page_stay(href: str) -> None:
    text = f'<a href="{href}">x</a>'
    assert counted(text) == (text, [])


def test_c20_the_picture_stands_at_the_end_of_the_body() -> None:
    assert count_openings("<body>x</body></html>", "https://n/o/t") == (
        '<body>x<img src="https://n/o/t" width="1" height="1" alt=""></body></html>'
    )


@pytest.mark.parametrize(
    "page",
    [
        *("//evil.example", "https:evil.example", "https:/evil.example", "\\\\evil.example", "https:\\\\evil.example"),
        *("https://a.example/\r\nSet-Cookie: x", "javascript:alert(1)", "data:text/html,x", "ftp://a.example", ""),
        *("https://", "http:///x", " https://a.example", "https://[::1", "https://a.example/\x00"),
    ],
)
def test_x10_nothing_but_a_whole_address_of_a_page_is_followed(page: str) -> None:
    assert not leads_out(page)

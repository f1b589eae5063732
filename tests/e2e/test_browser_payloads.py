"""What strangers put into names and baskets, shown by a real browser: text stays text (trust X3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from tests.e2e.browsing import Window, schemes, skeleton, window
from tests.e2e.house import START, House

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(240)]

PLAIN = "Ana"
PAYLOADS = (
    "<script>alert(1)</script>",
    "</title><script>alert(2)</script>",
    "</style><script>alert(3)</script>",
    "</textarea><script>alert(4)</script>",
    "<!--><script>alert(5)</script>-->",
    "<img src=x onerror=alert(6)>",
    '"><img src=x onerror=alert(7)>',
    "'><img src=x onerror=alert(8)>",
    '" onfocus="alert(9)" autofocus="',
    "' onfocus='alert(10)' autofocus='",
    "x onmouseover=alert(11) y",
    "` onmouseover=alert(12) `",
    "<svg onload=alert(13)>",
    "<svg><script>alert(14)</script></svg>",
    '<math><mtext></table><mglyph><style><!--</style><img title="--><img src onerror=alert(15)>">',
    "<iframe src=javascript:alert(16)>",
    "<iframe srcdoc='<script>parent.alert(17)</script>'>",
    "<object data=javascript:alert(18)>",
    "<embed src=javascript:alert(19)>",
    "<a href=javascript:alert(20)>x</a>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>*{background:url(https://evil.example/)}</style>",
    "<form action=https://evil.example/><button>x",
    "<input type=hidden name=do value=all>",
    "<details open ontoggle=alert(21)>",
    "<body onload=alert(22)>",
    "<marquee onstart=alert(23)>",
    "<video><source onerror=alert(24)>",
    "<template><script>alert(25)</script></template>",
    "<plaintext>",
    '<noscript><p title="</noscript><img src=x onerror=alert(26)>">',
    "&lt;script&gt;alert(27)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(28)&#62;",
    "\\u003cscript\\u003ealert(29)\\u003c/script\\u003e",
    "%3Cscript%3Ealert(30)%3C/script%3E",
    "{{ 7 * 7 }}{% raw %}",
    "{{ lead.__class__.__mro__ }}",
    "＜script＞alert(31)＜/script＞",
    "<scr\tipt>alert(32)</scr\tipt>",
    "]]><script>alert(33)</script>",
)
ADDRESSES = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(2)",
    " javascript:alert(3)",
    "java\tscript:alert(4)",
    "javascript&colon;alert(5)",
    "data:text/html,<script>alert(6)</script>",
    "vbscript:msgbox(7)",
    'https://frunza.example/" onclick="alert(8)',
    "https://frunza.example/' onclick='alert(9)",
    "https://frunza.example/><script>alert(10)</script>",
    "//evil.example/",
    "file:///etc/passwd",
)


@pytest.fixture(scope="module")
def w(chromium: Browser, house: House) -> Iterator[Window]:
    with window(chromium, house.base_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def baskets(house: House) -> House:
    """A lead for every payload, who left a basket whose goods are called as they are; `payload-0` is harmless."""
    for number, payload in enumerate((PLAIN, *PAYLOADS)):
        house.knows(f"p{number}", f"payload-{number}@posta.example", "fr", "offers", first_name=payload)
        _basket(house, f"p{number}", payload, "https://frunza.example/p")
    for number, url in enumerate(ADDRESSES):
        house.knows(f"a{number}", f"address-{number}@posta.example", "fr", "offers", first_name=PLAIN)
        _basket(house, f"a{number}", PLAIN, url)
    house.jump(START + timedelta(hours=3))
    house.work()
    return house


def _basket(house: House, lead: str, name: str, url: str) -> None:
    item = {"sku": "S", "name": name, "url": url, "category": "green", "price": 14.5, "quantity": 1}
    house.happens(lead, "cart_updated", cart_id=lead, cart_url=url, total=14.5, currency="EUR", items=[item])


def mail(w: Window, house: House, address: str) -> list[str]:
    """Show a mail without any policy to protect the reader, as in a careless mail program; what it is made of."""
    w.page.goto("about:blank")
    w.page.set_content(house.letter(address, "cart/reminder").html)
    return skeleton(w.page)


@pytest.mark.parametrize("number", range(1, len(PAYLOADS) + 1))
def test_x03_a_payload_in_a_name_is_text_in_a_mail(w: Window, baskets: House, number: int) -> None:
    plain = mail(w, baskets, "payload-0@posta.example")
    assert mail(w, baskets, f"payload-{number}@posta.example") == plain
    assert (w.dialogs, w.strangers) == ([], [])
    assert schemes(w.page) <= {"http:", "https:"}


@pytest.mark.parametrize("number", range(len(ADDRESSES)))
def test_x03_an_address_in_a_basket_leads_nowhere_but_to_the_web(w: Window, baskets: House, number: int) -> None:
    def show() -> set[str]:
        made = mail(w, baskets, f"address-{number}@posta.example")
        assert not any("onclick" in element for element in made)
        return schemes(w.page)

    assert show() <= {"http:", "https:"}
    assert w.dialogs == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_x03_a_payload_in_a_field_is_text_on_the_page_that_shows_it_again(
    w: Window, house: House, payload: str
) -> None:
    """Into an input, a text area and the address, by a form whose address is refused."""

    def show(value: str) -> list[str]:
        w.page.goto(f"{house.base_url}/f/review")
        w.page.get_by_label("E-mail").fill("x")
        w.page.evaluate("document.querySelector('form').noValidate = true")
        w.page.get_by_label("E-mail").evaluate("(e, v) => { e.type = 'text'; e.value = v; }", f"{value}@")
        w.page.get_by_role("textbox").last.fill(value)
        w.page.get_by_role("button").click()
        w.page.get_by_role("alert").wait_for()
        return skeleton(w.page)

    w.complaints.clear()
    assert show(payload) == show(PLAIN)
    assert w.page.get_by_role("textbox").last.input_value() == PLAIN
    assert w.dialogs == []
    assert [said for said in w.complaints if "422" not in said] == []

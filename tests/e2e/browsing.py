"""Real Chromium, and what is asked of every page it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.peers.ground import program

# No sandbox: the tests run as root, and everything shown is our own.
ARGUMENTS = ["--no-sandbox", "--font-render-hinting=none"]


def executable() -> str:
    return program("chromium")


@dataclass
class Window:
    """A window of the browser that notes what a page should never do."""

    context: BrowserContext
    page: Page
    own: set[str]  # host and port of what may be asked for
    refuses_cookies: bool = False  # none is ever sent, whatever was set
    strangers: list[str] = field(default_factory=list)  # addresses elsewhere that were asked for
    complaints: list[str] = field(default_factory=list)  # of the console: refused by the policy, broken script
    dialogs: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)  # Set-Cookie headers

    def watch(self, page: Page) -> None:
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("response", lambda r: self.cookies.extend(filter(None, [r.headers.get("set-cookie")])))

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def route(self, route: Route) -> None:
        """Nothing leaves this machine; what would is noted."""
        address = urlsplit(route.request.url)
        if address.netloc in self.own or address.scheme in ("data", "about", "blob"):
            headers = (
                {k: v for k, v in route.request.headers.items() if k != "cookie"} if self.refuses_cookies else None
            )
            route.continue_(headers=headers)
        else:
            self.strangers.append(route.request.url)
            route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>elsewhere</title>")

    @property
    def kept_to_itself(self) -> bool:
        """No request elsewhere, no cookie, nothing the policy refused, nothing that spoke up."""
        said = [self.strangers, self.complaints, self.dialogs, self.cookies, self.context.cookies()]
        assert said == [[]] * 5, said
        return True


@contextmanager
def window(browser: Browser, *own: str, refuses_cookies: bool = False, **options: Any) -> Iterator[Window]:
    """A fresh window, without history and cookies. `own` are base addresses of what it may reach."""
    context = browser.new_context(**options)
    hosts = {urlsplit(address).netloc for address in own}
    try:
        yield _watched(Window(context, context.new_page(), hosts, refuses_cookies), context)
    finally:
        context.close()


def _watched(made: Window, context: BrowserContext) -> Window:
    context.route("**/*", made.route)
    made.watch(made.page)
    context.on("page", made.watch)
    return made


def faint(page: Page) -> list[dict[str, Any]]:
    """Texts of the page with less contrast to what is behind them than WCAG 2.2, 1.4.3, asks for: 4.5, large ones 3."""
    found: list[dict[str, Any]] = page.evaluate(_CONTRAST)
    return found


_CONTRAST = """() => {
  const parse = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return {r, g, b, a}; };
  const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a), a: 1 });
  const light = c => { const [r, g, b] = [c.r, c.g, c.b].map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const canvas = document.documentElement;
  const bare = dark && getComputedStyle(canvas).colorScheme.includes('dark')
    ? {r: 18, g: 18, b: 18, a: 1} : {r: 255, g: 255, b: 255, a: 1};
  const behind = element => { const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), bare); };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const text = node.textContent.trim(), element = node.parentElement;
    if (!text || !element.checkVisibility({visibilityProperty: true, opacityProperty: true})
        || element.closest('[aria-hidden=true],style,script,title')) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize), back = behind(element);
    if (size < 2) continue;  // a preheader is meant for the list of mails, not for the eye
    const [a, b] = [light(over(parse(style.color), back)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push({text: text.slice(0, 60), ratio: Math.round(ratio * 100) / 100,
      color: style.color, back: `rgb(${back.r}, ${back.g}, ${back.b})`});
  }
  return found;
}"""


def unnamed(page: Page) -> list[str]:
    """Inputs and buttons that a screen reader has no name for, and pictures without words."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=hidden]), textarea, select, button, a[href], img')]
        .filter(e => !e.closest('[aria-hidden=true]'))
        .filter(e => !(e.labels?.length && [...e.labels].some(l => l.innerText.trim()))
          && !e.innerText?.trim() && !e.getAttribute('alt') && !e.getAttribute('aria-label'))
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    return found


def too_wide(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    over: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return over


def skeleton(page: Page) -> list[str]:
    """Every element with the names of its attributes, in order: what a page is made of, without its words."""
    made: list[str] = page.evaluate(
        """() => [...document.documentElement.querySelectorAll('*')]
        .map(e => `${e.localName} ${[...e.attributes].map(a => a.name).sort()}`)"""
    )
    return made


def schemes(page: Page) -> set[str]:
    """Where the links and forms of a page could lead, by scheme."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('[href], [src], [action]')]
        .map(e => new URL(e.href || e.src || e.action, 'https://base.example').protocol)"""
    )
    return set(found)

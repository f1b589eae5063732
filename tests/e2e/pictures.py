"""The pictures of docs/explanation/what-a-person-sees.md, taken anew: `make pictures`.

The example shop is opened, a person of each language signs up, and Chromium is asked what they see.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browsing import ARGUMENTS, executable, window
from tests.e2e.house import START, House, open_house

LARGEST = 80_000  # bytes of a picture
WIDE, NARROW = 760, 360  # pixels
PEOPLE = {"fr": "Camille", "en": "Alice", "ro": "Ioana"}
_COLOURS = 256
_KEPT = 64  # of these, the most frequent stay exactly as they are: grounds, buttons, the middle of strokes
# Like a desktop of today: what pages ask the system for is Inter here, on any machine.
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family"><string>system-ui</string></test>
<edit name="family" mode="assign" binding="strong"><string>Inter</string></edit></match>
<match target="pattern"><test name="family"><string>sans-serif</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
<match target="pattern"><test name="family"><string>Helvetica</string></test>
<edit name="family" mode="assign" binding="strong"><string>Inter</string></edit></match>
</fontconfig>"""


def take_all(folder: Path) -> None:
    """Every picture, into `folder`."""
    with ExitStack() as open_:
        temporary = Path(open_.enter_context(tempfile.TemporaryDirectory()))
        (temporary / "fonts.conf").write_text(_FONTS, "utf-8")
        playwright = open_.enter_context(sync_playwright())
        environ = {"FONTCONFIG_FILE": str(temporary / "fonts.conf"), "HOME": str(temporary), "PATH": "/usr/bin:/bin"}
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS, env=environ)
        house = open_.enter_context(open_house(temporary / "shop"))
        for name, scheme, width, address in _views(house):
            raw = _take(browser, house, address, scheme, width)
            (folder / f"{name}.png").write_bytes(small(raw))
            size = (folder / f"{name}.png").stat().st_size
            sys.stdout.write(f"{name}.png {size:,} bytes\n")
            assert size <= LARGEST, f"{name} has {size} bytes"
        browser.close()


def _views(house: House) -> list[tuple[str, str, int, str]]:
    """Name, colours, width and address of each picture."""
    _play(house)
    links, mail = house.app.links, {}
    for locale, name in PEOPLE.items():
        lead = house.lead(_email(name))
        mail[locale] = house.letter(_email(name), "cart/reminder").number
        confirm = house.letter(_email(name), "consent/confirm")
        if locale == "fr":
            asked, question = confirm.number, f"{house.base_url}/{confirm.paths(house.base_url)[0]}"
            pages = [
                ("form", f"{house.base_url}/f/guide"),
                ("confirm", question),
                ("unsubscribe", links.unsubscribe(lead, "offers", 1)),
                ("preferences", links.preferences(lead)),
                ("my-data", links.my_data(lead, 1, "x")),
            ]
    inbox = f"{house.setting.inbox_url}/mail"
    views = [(f"page-{name}-{scheme}", scheme, WIDE, url) for name, url in pages for scheme in ("light", "dark")]
    views += [(f"mail-{locale}", "light", NARROW, f"{inbox}/{number}/html") for locale, number in mail.items()]
    views += [("mail-fr-dark", "dark", NARROW, f"{inbox}/{mail['fr']}/html")]
    views += [(f"mail-confirm-{scheme}", scheme, NARROW, f"{inbox}/{asked}/html") for scheme in ("light", "dark")]
    return [*views, ("page-preferences-phone", "light", NARROW, pages[3][1])]


def _play(house: House) -> None:
    """Three people sign up and leave a basket behind."""
    goods = {"fr": "Thé noir Darjeeling", "en": "Darjeeling, black tea", "ro": "Ceai negru Darjeeling"}
    for locale, name in PEOPLE.items():
        house.knows(locale, _email(name), locale, "newsletter", "offers", first_name=name)
        items = [
            {"sku": "D", "name": goods[locale], "url": "https://frunza.example/p", "category": "black", "price": 16.0},
            {"sku": "P", "name": "Samovar Petit", "url": "https://frunza.example/p", "category": "ware", "price": 48.0},
        ]
        basket = {"cart_id": locale, "cart_url": "https://frunza.example/c", "total": 80.0, "currency": "EUR"}
        lines = [{**item, "quantity": number} for number, item in zip((2, 1), items, strict=True)]
        house.happens(locale, "cart_updated", **basket, items=lines)
    house.work()
    house.jump(START + timedelta(hours=3))
    house.work()


def _email(name: str) -> str:
    return f"{name.lower()}@posta.example"


def _take(browser: Browser, house: House, address: str, scheme: str, width: int) -> bytes:
    size = {"width": width, "height": 200}
    own = (house.base_url, house.setting.inbox_url)
    with window(browser, *own, color_scheme=scheme, viewport=size, locale="fr-FR") as w:
        w.page.goto(address)
        return w.page.screenshot(full_page=True)


# --- small files ---


def small(png: bytes) -> bytes:
    """The same picture with at most 256 colours, from a PNG as Chromium writes it: 8 bits, RGB or RGBA, not
    interlaced. Pages have few colours; what is left out is the difference between edges of letters."""
    width, height, pixels = _decoded(png)
    counted = Counter(pixels)
    areas = {pixel for pixel, _ in counted.most_common(_KEPT)}
    for bits in range(8):
        nearest = {pixel: pixel if pixel in areas else _coarse(pixel, bits) for pixel in counted}
        if len(set(nearest.values())) <= _COLOURS:
            break
    palette = sorted(set(nearest.values()))
    numbers = {colour: number for number, colour in enumerate(palette)}
    place = {pixel: numbers[nearest[pixel]] for pixel in counted}
    rows = b"".join(
        b"\0" + bytes(place[pixel] for pixel in pixels[start : start + width])
        for start in range(0, width * height, width)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _coarse(pixel: bytes, bits: int) -> bytes:
    """The colour without its lowest bits, in the middle of those that become one."""
    return bytes(min(255, (channel >> bits << bits) + (1 << bits >> 1)) for channel in pixel)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _decoded(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the RGB of every pixel (PNG specification, 9: filters)."""
    place, data, head = len(_SIGNATURE), b"", b""
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + length]
        head = body if kind == b"IHDR" else head
        data += body if kind == b"IDAT" else b""
        place += length + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    assert (depth, interlaced) == (8, 0), "not as Chromium writes it"
    step = {2: 3, 6: 4}[colour]
    raw, stride = zlib.decompress(data), width * step
    above, pixels = bytearray(stride), []
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfiltered(_FILTERS[raw[start]], line, above, step)
        pixels += [bytes(line[x : x + 3]) for x in range(0, stride, step)]
        above = line
    return width, height, pixels


def _unfiltered(guess: Callable[[int, int, int], int], line: bytearray, above: bytearray, step: int) -> None:
    for x in range(len(line)):
        left, corner = (line[x - step], above[x - step]) if x >= step else (0, 0)
        line[x] = (line[x] + guess(left, above[x], corner)) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]


_FILTERS: tuple[Callable[[int, int, int], int], ...] = (
    lambda left, up, corner: 0,
    lambda left, up, corner: left,
    lambda left, up, corner: up,
    lambda left, up, corner: (left + up) // 2,
    _paeth,
)

if __name__ == "__main__":
    take_all(Path(sys.argv[1]))

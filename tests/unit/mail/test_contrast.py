"""Texts that are hard to read: colours through styles, rules, attributes and the dark."""

from __future__ import annotations

import pytest

from nurture.mail.colour import Colour, colour, contrast, first_colour
from nurture.mail.contrast import declarations, faint
from nurture.mail.scheme import Scheme, adapts, in_scheme, inlined


def pairs(body: str, scheme: Scheme = "light", style: str = "") -> list[str]:
    found = faint(f"<html><head><style>{style}</style></head><body>{body}</body></html>", scheme)
    return [f"{text.ink} on {text.ground}" for text in found]


# --- colours


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("#fff", Colour(255, 255, 255)),
        ("#2F5D50", Colour(47, 93, 80)),
        ("rgb(1, 2, 3)", Colour(1, 2, 3)),
        ("rgb(100% 0% 0% / 50%)", Colour(255, 0, 0, 0.5)),
        ("rgba(0,0,0,.5)", Colour(0, 0, 0, 0.5)),
        ("hsl(120, 100%, 50%)", Colour(0, 255, 0)),
        ("RebeccaPurple", Colour(102, 51, 153)),
        ("transparent", Colour(0, 0, 0, 0)),
    ],
)
def test_a_colour_is_read_as_browsers_read_it(text: str, meant: Colour) -> None:
    assert colour(text) == meant


@pytest.mark.parametrize("text", ["", "inherit", "#12", "#ggg", "rgb(1)", "var(--ink)"])
def test_what_is_no_colour_is_none(text: str) -> None:
    assert colour(text) is None


def test_the_colour_of_a_shorthand_is_found() -> None:
    assert first_colour("url(red.png) no-repeat #2f5d50 center") == Colour(47, 93, 80)


def test_a_gradient_is_not_a_colour() -> None:
    assert first_colour("linear-gradient(red, rgba(0, 0, 0, 1))") is None


@pytest.mark.parametrize(
    ("ink", "ground", "ratio"), [("#000", "#fff", 21), ("#777", "#fff", 4.48), ("#fff", "#fff", 1)]
)
def test_the_ratio_is_that_of_wcag(ink: str, ground: str, ratio: float) -> None:
    one, other = colour(ink), colour(ground)
    assert one is not None
    assert other is not None
    assert round(contrast(one, other), 2) == ratio


# --- styles


def test_the_later_declaration_wins_but_for_an_important_one() -> None:
    assert declarations("color:red;color:blue") == {"color": "blue"}
    assert declarations("color:red !important;color:blue") == {"color": "red"}


def test_a_shorthand_sets_the_colour_of_the_ground_anew() -> None:
    assert declarations("background-color:red;background:none") == {"background": "none"}


# --- texts


def test_grey_on_white_is_hard_to_read_and_black_is_not() -> None:
    assert pairs('<p style="color:#999">pale</p><p>clear</p>') == ["#999999 on #ffffff"]


def test_a_pair_of_colours_is_named_once_with_its_first_words() -> None:
    (found,) = faint('<p style="color:#999">one</p><p style="color:#999">two</p>', "light")
    assert (found.words, found.ratio, found.needed) == ("one", 2.84, 4.5)


def test_the_ground_is_that_of_the_nearest_element_that_has_one() -> None:
    assert pairs(
        '<table bgcolor="#000"><tr><td style="color:#fff">a<i style="background:#fff">b</i></td></tr></table>'
    ) == ["#ffffff on #ffffff"]


def test_a_rule_of_the_mails_own_counts() -> None:
    assert pairs("<p class=x>pale</p>", style=".x { color: #ccc }") == ["#cccccc on #ffffff"]


def test_a_large_text_needs_less() -> None:
    assert pairs('<p style="color:#888;font-size:24px">large</p>') == []
    assert pairs('<p style="color:#888;font:bold 14pt serif">large</p>') == []
    assert pairs('<p style="color:#888;font-size:18pt;line-height:2">large</p><p style="color:#888">small</p>') == [
        "#888888 on #ffffff"
    ]


def test_a_translucent_ground_is_mixed_with_what_lies_below() -> None:
    body = '<div style="background:#000"><p style="color:#555;background:rgba(255,255,255,.5)">grey</p></div>'
    assert pairs(body) == ["#555555 on #808080"]


def test_behind_a_gradient_nothing_is_said() -> None:
    assert pairs('<div style="background:linear-gradient(#fff,#eee)"><p style="color:#fff">?</p></div>') == []


@pytest.mark.parametrize("hidden", ["display:none", "visibility:hidden", "mso-hide:all", "font-size:1px", "opacity:0"])
def test_what_nobody_sees_is_not_judged(hidden: str) -> None:
    assert pairs(f'<div style="color:#fff;{hidden}">preheader</div>') == []


def test_what_only_old_outlook_reads_is_not_judged() -> None:
    assert pairs('<!--[if mso]><p style="color:#fff">x</p><![endif]--><p>clear</p>') == []


# --- the dark

DARK = "@media (prefers-color-scheme: dark) { body { background: #111 } .ink { color: #eee !important } }"


def test_a_text_the_rules_of_the_dark_forget_is_found_there_alone() -> None:
    body = '<p class="ink" style="color:#222">seen</p><p style="color:#222">forgotten</p>'
    assert pairs(body, "light", DARK) == []
    assert pairs(body, "dark", DARK) == ["#222222 on #111111"]


def test_a_mail_that_says_nothing_of_the_dark_is_judged_in_light_alone() -> None:
    assert pairs('<p style="color:#999">pale</p>', "dark") == []


def test_rules_for_narrow_screens_do_not_count_for_the_wide() -> None:
    assert pairs("<p>clear</p>", style="@media (max-width: 600px) { p { color: #fff } }") == []


def test_a_rule_that_is_cut_off_harms_nothing() -> None:
    cut = "@media (prefers-color-scheme: dark) { b { color: #fff"
    assert pairs('<p style="color:#111">seen</p>', "dark", cut) == ["#111111 on #121212"]


# --- frames


def test_in_a_frame_the_rules_of_one_scheme_hold_whatever_the_reader_has() -> None:
    html = f"<html><head><style>{DARK}</style></head><body></body></html>"
    assert "(min-width:0)" in in_scheme(html, "dark")
    assert "(max-width:0)" in in_scheme(html, "light")


def test_a_mail_without_the_dark_is_shown_as_it_is() -> None:
    assert in_scheme("<p>Hello</p>", "dark") == "<p>Hello</p>"
    assert not adapts("<p>Hello</p>")


def test_rules_are_written_onto_elements_as_their_weight_has_it() -> None:
    html = f'<html><head><style>{DARK}</style></head><body><p class="ink" style="color:#222">x</p></body></html>'
    assert 'style="color: #eee !important"' in inlined(html, "dark")

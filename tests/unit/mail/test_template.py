"""Files, locales, front matter and hash of a mail (campaigns.md §9)."""

from __future__ import annotations

import pytest

from nurture.mail.layout import flatten
from nurture.mail.template import (
    TemplateBroken,
    Variant,
    choose,
    front_matter,
    normal_locale,
    template,
    template_hash,
    template_names,
    variants,
)

FILES = {
    "cart/reminder.html": '{% extends "_layout.html" %}{% block body %}neutral{% endblock %}',
    "cart/reminder.fr.html": '{% extends "_layout.html" %}{% block body %}français{% endblock %}',
    "cart/reminder.txt": "text",
    "other.html": "other",
    "_layout.html": '<html>{% block body %}{% endblock %}{% include "_foot.html" %}</html>',
    "_foot.html": "foot",
}


def test_parts_are_not_mails() -> None:
    assert template_names(FILES) == ["cart/reminder", "other"]


def test_a_mail_takes_along_what_it_extends_and_includes() -> None:
    mail = template("cart/reminder", FILES)
    assert set(mail.files) == set(FILES) - {"other.html"}


@pytest.mark.parametrize(
    ("path", "changes"), [("_foot.html", True), ("cart/reminder.fr.html", True), ("other.html", False)]
)
def test_the_hash_covers_every_file_of_the_mail_and_no_other(path: str, changes: bool) -> None:
    changed = template("cart/reminder", FILES | {path: FILES[path] + "!"})
    assert (changed.hash != template("cart/reminder", FILES).hash) == changes


def test_line_ends_and_order_do_not_change_the_hash() -> None:
    assert template_hash({"a": "x\ny", "b": ""}) == template_hash({"b": "", "a": "x\r\ny"})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "there is no template 'a'"),
        ({"a.html": '{% extends "b.html" %}'}, "'b.html' is not there"),
        ({"a.html": "x", "a.mjml": "y"}, "the same mail"),
    ],
)
def test_a_mail_with_missing_or_double_files_is_broken(files: dict[str, str], words: str) -> None:
    with pytest.raises(TemplateBroken, match=words):
        template("a", files).variants()


@pytest.mark.parametrize(
    ("lead", "project", "written", "chosen"),
    [
        ("fr-CH", "en", ["fr-CH", "fr", "en", ""], "fr-CH"),
        ("fr-CH", "en", ["fr", "en", ""], "fr"),
        ("fr_ch", "en", ["fr-CH"], "fr-CH"),
        ("ro", "en", ["fr", "en", ""], "en"),
        ("ro", "en-GB", ["fr", "en", ""], "en"),
        ("ro", "en", ["fr", ""], ""),
        ("", "en", ["fr", ""], ""),
        ("nonsense!", "fr", ["fr", ""], "fr"),
        ("ro", "en", ["fr"], None),
    ],
)
def test_the_locale_falls_back_to_language_project_none_written(
    lead: str, project: str, written: list[str], chosen: str | None
) -> None:
    found = choose(lead, {locale: Variant(locale, html="x.html") for locale in written}, project)
    assert (found.locale if found else None) == chosen


def test_a_variant_with_html_goes_before_one_with_text_only() -> None:
    found = choose("fr", variants("a", ["a.html", "a.fr.txt"]), "en")
    assert found == Variant("", html="a.html")


@pytest.mark.parametrize(
    ("text", "normal"),
    [("fr", "fr"), ("FR_ch", "fr-CH"), ("sr_latn_rs", "sr-Latn-RS"), ("x", ""), ("../etc", ""), ("", "")],
)
def test_locales_are_written_one_way(text: str, normal: str) -> None:
    assert normal_locale(text) == normal


def test_front_matter_is_read_as_text_and_keeps_line_numbers() -> None:
    block, body = front_matter("---\nsubject: 010\npreheader: |\n  two\n  lines\n---\nbody\n", "a.html")
    assert (block.values, body) == ({"subject": "010", "preheader": "two lines"}, "\n" * 6 + "body\n")


def test_a_mail_without_front_matter_is_all_body() -> None:
    assert front_matter("--- not a block\n", "a.html")[1] == "--- not a block\n"


@pytest.mark.parametrize("block", ["subject: {{ x }}", "subject: a: b", "- a list", "subject: [a]", "\tx"])
def test_front_matter_that_is_no_mapping_of_texts_says_where(block: str) -> None:
    with pytest.raises(TemplateBroken) as broken:
        front_matter(f"---\n{block}\n---\nbody", "a.html")
    assert broken.value.file == "a.html"


@pytest.mark.parametrize(
    ("files", "flat"),
    [
        ({"a.html": "x"}, "x"),
        ({"a.html": "{# gone #}x"}, "x"),
        ({"a.html": '{% include "b.html" %}', "b.html": "in"}, "in"),
        (
            {
                "a.html": '{% extends "b.html" %}{% block c %}mine{% endblock %}',
                "b.html": "<{% block c %}own{% endblock %}>",
            },
            "<mine>",
        ),
        ({"a.html": '{% extends "b.html" %}', "b.html": "<{% block c %}own{% endblock %}>"}, "<own>"),
        (
            {
                "a.html": '{% extends "b.html" %}{% block c %}+{{ super() }}{% endblock %}',
                "b.html": "<{% block c %}own{% endblock %}>",
            },
            "<+own>",
        ),
        (
            {
                "a.html": '{% extends "b.html" %}{% block d %}A{% endblock %}',
                "b.html": '{% extends "c.html" %}{% block e %}[{% block d %}{% endblock %}]{% endblock %}',
                "c.html": "<{% block e %}{% endblock %}>",
            },
            "<[A]>",
        ),
        (
            {
                "a.html": '{% extends "b.html" %}{% set x = 1 %}text{% block c %}{{ x }}{% endblock %}',
                "b.html": "<{% block c %}{% endblock %}>",
            },
            "{% set x = 1 %}<{{ x }}>",
        ),
        (
            {"a.html": '{% for x in y %}{% include "b.html" %}{% endfor %}', "b.html": "{{ x }}"},
            "{% for x in y %}{{ x }}{% endfor %}",
        ),
        ({"a.html": "{% raw %}{% block x %}{% endraw %}"}, "{% raw %}{% block x %}{% endraw %}"),
    ],
)
def test_layouts_and_parts_become_one_source(files: dict[str, str], flat: str) -> None:
    assert flatten("a.html", files) == flat


@pytest.mark.parametrize(
    "files",
    [
        {"a.html": '{% include "a.html" %}'},
        {"a.html": '{% extends "b.html" %}', "b.html": '{% extends "a.html" %}'},
        {"a.html": "{% block x %}never closed"},
        {"a.html": '{% include "nowhere.html" %}'},
    ],
)
def test_a_circle_or_a_gap_is_told(files: dict[str, str]) -> None:
    with pytest.raises(TemplateBroken):
        flatten("a.html", files)

"""What is found wrong with a printed mail, and what is left alone: each check both ways."""

from __future__ import annotations

import msgspec
import pytest

from nurture.mail.findings import findings
from nurture.mail.letter import Letter
from nurture.mail.translated import untranslated

OUT = "https://links.invalid/u/token"
HIDDEN = '<div style="display:none">It is where you left it.</div>'
FOOT = f'<p><a href="{OUT}">Unsubscribe</a> Acme · 1 rue de la Paix, Paris</p>'
GOOD = Letter(
    subject="We kept your basket",
    html=f'<html lang="en"><body>{HIDDEN}<p>Hello, your tea is still here.</p>{FOOT}</body></html>',
    text=f"Hello, your tea is still here.\n\nUnsubscribe <{OUT}>\n\nAcme · 1 rue de la Paix,\nParis\n",
    locale="en",
    marketing=True,
    postal_address="1 rue de la Paix, Paris",
    base="https://links.invalid",
    home="acme.eu",
)


def mail(body: str = "", **changed: object) -> Letter:
    """The good mail with something more in its HTML, or with other parts."""
    return msgspec.structs.replace(GOOD, html=GOOD.html.replace(FOOT, body + FOOT), **changed)


def told(letter: Letter) -> list[tuple[str, str]]:
    return [(finding.level, finding.check) for finding in findings(letter)]


def link(address: str, **changed: object) -> list[tuple[str, str]]:
    return told(mail(f'<a href="{address}">to the basket</a>', **changed))


def test_a_good_mail_is_left_alone() -> None:
    assert findings(GOOD) == []


def test_errors_stand_before_warnings() -> None:
    assert told(mail('<p style="color:#eee">pale</p>', subject="x" * 80)) == [
        ("error", "contrast"),
        ("warning", "subject"),
    ]


@pytest.mark.parametrize(("kilobytes", "level"), [(80, []), (95, ["warning"]), (103, ["error"])])
def test_html_that_gmail_cuts_is_an_error_and_near_it_a_warning(kilobytes: int, level: list[str]) -> None:
    found = findings(mail(f"<!--{'x' * kilobytes * 1024}-->"))
    assert [finding.level for finding in found if finding.check == "size"] == level


def test_an_empty_subject_is_an_error() -> None:
    assert told(mail(subject=" ")) == [("error", "subject")]


def test_a_subject_longer_than_a_list_shows_is_a_warning() -> None:
    assert told(mail(subject="x" * 71)) == [("warning", "subject")]


def test_without_a_preheader_it_is_said_what_one_reads_in_its_place() -> None:
    (finding,) = findings(msgspec.structs.replace(GOOD, html=GOOD.html.replace(HIDDEN, "")))
    assert (finding.check, finding.text) == (
        "preheader",
        "no preheader: behind the subject one reads “Hello, your tea is still here. Unsubscribe Acme · 1 rue de …”",
    )


def test_a_preheader_that_repeats_the_subject_is_a_warning() -> None:
    assert told(mail(subject="It is where you left it.")) == [("warning", "preheader")]


def test_a_notice_to_a_colleague_needs_no_preheader() -> None:
    assert told(msgspec.structs.replace(GOOD, html=GOOD.html.replace(HIDDEN, ""), notice=True)) == []


@pytest.mark.parametrize(
    "address", ["https://shop.eu/basket", "mailto:lea@acme.eu", "tel:+33123", "https://www.acme.eu", "#end"]
)
def test_a_whole_address_is_left_alone(address: str) -> None:
    assert told(mail(f'<a href="{address}">to the basket</a><p id="end">End</p>')) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "#",
        "#nowhere",
        "/basket",
        "www.acme.eu",
        "https://",
        "ftp://acme.eu/x",
        "{{ entry.url }}",
        "https://acme.eu/*|ID|*",
    ],
)
def test_a_link_that_leads_nowhere_is_an_error(address: str) -> None:
    assert link(address) == [("error", "links")]


def test_a_link_without_https_is_a_warning() -> None:
    assert link("http://acme.eu/basket") == [("warning", "links")]


@pytest.mark.parametrize("host", ["www.example.com", "example.org", "shop.example", "localhost", "127.0.0.1", "x.test"])
def test_a_host_that_is_nobodys_is_an_error(host: str) -> None:
    assert link(f"https://{host}/basket") == [("error", "links")]


@pytest.mark.parametrize("home", ["example.org", "example.com"])
def test_in_a_project_that_is_an_example_itself_it_is_a_warning(home: str) -> None:
    assert link("https://www.example.com/basket", home=home) == [("warning", "links")]


def test_the_senders_own_domain_is_somebodys() -> None:
    assert link("https://shop.acme.example/basket", home="acme.example") == []


def test_an_address_out_of_a_leads_data_is_not_the_authors() -> None:
    assert link("http://www.example.com/basket", given=frozenset({"http://www.example.com/basket"})) == []


def test_a_link_without_words_is_a_warning() -> None:
    assert told(mail('<a href="https://acme.eu"><img src="https://acme.eu/a.png" alt="" width="9"></a>')) == [
        ("warning", "links")
    ]


def test_the_alt_text_of_a_picture_is_the_words_of_its_link() -> None:
    assert told(mail('<a href="https://acme.eu"><img src="https://acme.eu/a.png" alt="Our tea" width="9"></a>')) == []


def test_a_picture_without_alt_is_an_error() -> None:
    assert told(mail('<img src="https://acme.eu/a.png" width="9">')) == [("error", "pictures")]


def test_a_picture_without_a_whole_address_is_an_error() -> None:
    assert told(mail('<img src="a.png" alt="" width="9">')) == [("error", "pictures")]


def test_a_picture_without_a_width_is_a_warning() -> None:
    assert told(mail('<img src="https://acme.eu/a.png" alt="">')) == [("warning", "pictures")]
    assert told(mail('<img src="https://acme.eu/a.png" alt="" style="width:9px">')) == []


def test_a_picture_inside_the_mail_is_a_warning_and_so_is_its_weight() -> None:
    small, large = (f'<img src="data:image/png;base64,{"A" * size}" alt="" width="9">' for size in (100, 300_000))
    assert told(mail(small)) == [("warning", "pictures")]
    assert [f.text for f in findings(mail(large)) if f.check == "pictures"][
        -1
    ] == "292 KB of pictures lie inside the mail"


def test_a_marketing_mail_without_a_way_out_is_wrong_in_both_parts() -> None:
    letter = msgspec.structs.replace(
        GOOD, html=GOOD.html.replace(OUT, "https://acme.eu"), text=GOOD.text.replace(OUT, "")
    )
    assert told(letter) == [("error", "unsubscribe"), ("error", "unsubscribe")]


def test_service_mail_needs_no_way_out_and_no_postal_address() -> None:
    bare = msgspec.structs.replace(GOOD, html=GOOD.html.replace(FOOT, ""), text="Hello, your tea is still here.")
    assert told(msgspec.structs.replace(bare, marketing=False)) == []


def test_a_marketing_mail_without_its_senders_address_is_wrong_in_both_parts() -> None:
    letter = msgspec.structs.replace(GOOD, postal_address="2 High Street, Leeds")
    assert told(letter) == [("error", "address"), ("error", "address")]


def test_a_marketing_mail_of_a_sender_without_address_is_an_error() -> None:
    assert told(mail(postal_address="")) == [("error", "address")]


def test_an_empty_plain_text_is_an_error() -> None:
    assert ("error", "text") in told(mail(text=" \n"))


def test_a_plain_text_that_leaves_out_most_is_a_warning() -> None:
    assert told(mail(f"<p>{'word ' * 60}</p>")) == [("warning", "text")]


def test_html_in_the_plain_text_is_a_warning() -> None:
    assert told(mail(text=GOOD.text + "<br>")) == [("warning", "text")]


@pytest.mark.parametrize(
    "left", ["{{ lead.first_name }}", "*|FNAME|*", "%%name%%", "[First name]", "Lorem ipsum", "TODO"]
)
def test_a_placeholder_nobody_filled_in_is_an_error(left: str) -> None:
    assert told(mail(subject=f"Hello {left}")) == [("error", "placeholder")]


@pytest.mark.parametrize("text", ["Todos los tés", "Toute l’équipe [1]", "100 % tea", "extra"])
def test_words_that_only_look_like_a_placeholder_are_left_alone(text: str) -> None:
    assert told(mail(subject=text)) == []


def test_a_page_that_names_another_language_is_a_warning() -> None:
    assert told(mail(locale="fr-CH")) == [("warning", "language")]
    assert told(mail(locale="en-GB")) == []


def test_a_page_that_names_no_language_is_a_warning() -> None:
    assert told(msgspec.structs.replace(GOOD, html=GOOD.html.replace(' lang="en"', ""))) == [("warning", "language")]


# --- over languages

ENGLISH = "The kettle boiled and the bus came.\nEverything is still here, where you left it.\n"
FRENCH = "Le téléphone a sonné et le bus arrivait.\nTout est encore là, où vous l’avez laissé.\n"


def copied(**texts: str) -> dict[str, list[str]]:
    letters = {locale: mail(locale=locale, text=text, subject=text[:10]) for locale, text in texts.items()}
    return {locale: [f.level for f in found] for locale, found in untranslated(letters).items()}


def test_two_languages_with_words_of_their_own_are_left_alone() -> None:
    assert copied(en=ENGLISH, fr=FRENCH) == {"en": [], "fr": []}


def test_a_language_that_says_the_same_as_another_is_an_error() -> None:
    assert copied(en=ENGLISH, fr=ENGLISH) == {"en": [], "fr": ["error"]}


def test_a_language_that_shares_most_long_lines_is_a_warning() -> None:
    half = ENGLISH + "Une question sur un thé ou une livraison ?\n"
    assert copied(en=ENGLISH, fr=half) == {"en": [], "fr": ["warning"]}


def test_two_countries_of_one_language_may_say_the_same() -> None:
    assert copied(fr=FRENCH, **{"fr-CH": FRENCH}) == {"fr": [], "fr-CH": []}


def test_a_subject_left_in_another_language_is_a_warning() -> None:
    letters = {
        "en": mail(locale="en", text=ENGLISH, subject="We kept your basket warm"),
        "fr": mail(locale="fr", text=FRENCH, subject="We kept your basket warm"),
    }
    assert [finding.text for finding in untranslated(letters)["fr"]] == ["the subject is the same as in 'en'"]

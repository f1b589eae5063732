"""config.yaml's sections that give campaigns their meaning."""

from __future__ import annotations

import pytest

from nurture.campaign.condition import Consented, Did, Field, Test
from nurture.campaign.duration import Duration
from nurture.campaign.project import (
    Alerts,
    Cap,
    DealStage,
    Form,
    Input,
    Pipeline,
    Project,
    Recycle,
    Score,
    ScoreRule,
    Sender,
    Stage,
    Threshold,
    Topic,
    Webhook,
)
from nurture.campaign.read import ProjectReading, read_project
from nurture.campaign.window import ClockTime, Window
from tests.unit.campaign.project import codes, shop


def read(body: str, segments: str | None = None) -> ProjectReading:
    return read_project(
        ("config.yaml", f"project: p\n{body}"), None if segments is None else ("segments.yaml", segments)
    )


def good(body: str, segments: str | None = None) -> Project:
    reading = read(body, segments)
    assert reading.problems == []
    return reading.project


def test_an_absent_section_means_none() -> None:
    project = good("")
    assert project == Project(name="p")
    assert (project.cap, project.window, project.tracking, project.pipelines) == (None, None, False, {})
    assert project.alerts.blast == 10_000
    assert (project.late_events, project.expires_after) == (Duration(seconds=86_400), Duration(seconds=259_200))


def test_the_plain_sections_are_read() -> None:
    project = good("""
timezone: Europe/Paris
locale: fr
currency: RON
sender: {name: Acme, email: news@example.com, reply_to: hello@example.com, postal_address: "1 rue de la Paix"}
caps: {marketing: {at_most: 3, per: 7d}}
window: {days: mon-sat, between: "09:00-20:00", holidays: [FR, ours]}
holidays: {ours: [2026-08-14, 2026-08-17]}
teams: {sales: [a@example.com, b@example.com], boss: c@example.com}
webhooks: {stock: {url: "${STOCK_URL}", timeout: 5s}}
channels: {chat: stock}
alerts: {fallback: a@example.com, blast: 50}
late_events: 2d
expires_after: 48h
tracking: true
""")
    assert (project.zone, project.locale, project.currency) == ("Europe/Paris", "fr", "RON")
    assert project.sender == Sender("Acme", "news@example.com", "hello@example.com", "1 rue de la Paix")
    assert project.cap == Cap(3, Duration(days=7))
    assert project.window == Window((0, 1, 2, 3, 4, 5), ClockTime(540), ClockTime(1200), "lead", ("FR", "ours"))
    assert project.holidays == {"ours": ("2026-08-14", "2026-08-17")}
    assert project.teams == {"sales": ("a@example.com", "b@example.com"), "boss": ("c@example.com",)}
    assert project.webhooks == {"stock": Webhook("stock", "${STOCK_URL}", Duration(seconds=5))}
    assert project.channels == {"chat": "stock"}
    assert project.alerts == Alerts(50, "a@example.com")
    assert (project.late_events, project.expires_after) == (Duration(days=2), Duration(seconds=48 * 3600))
    assert project.tracking


def test_declared_types_nest() -> None:
    project = good("""
attributes: {birthday: date, vip: true/false, address: {city: text, geo: {lat: number}}}
events: {cart: {total: number, link: url, items: [{name: text, tags: [{word: text}]}]}}
""")
    assert project.attributes == {
        "birthday": "date",
        "vip": "bool",
        "address": {"city": "text", "geo": {"lat": "number"}},
    }
    assert project.events["cart"]["items"] == [{"name": "text", "tags": [{"word": "text"}]}]


def test_stages_are_words_or_say_more() -> None:
    project = good("""
topics: {letter: {title: Letter}}
funnels:
  main:
    stages:
      - visitor
      - {name: lead, band: tofu, enter_if: {consent: letter}}
      - mql: {sla: 2d, moves: [visitor]}
      - {name: sql, moves: lead}
      - {name: lapsed, left: true}
""")
    assert project.funnels["main"].stages == (
        Stage("visitor"),
        Stage("lead", "tofu", Consented("letter")),
        Stage("mql", None, None, Duration(days=2), ("visitor",)),
        Stage("sql", moves=("lead",)),
        Stage("lapsed", left=True),
    )
    assert project.funnel_of("sql") == project.funnels["main"]


@pytest.mark.parametrize("written", ["[a, b]", "{stages: [a, b]}"])
def test_funnel_is_short_for_a_single_one(written: str) -> None:
    assert [f.names() for f in good(f"funnel: {written}").funnels.values()] == [("a", "b")]


def test_a_pipeline_has_stages_reasons_and_recycling() -> None:
    project = good("""
funnel: [lead, customer]
pipelines:
  sales:
    stages: [discovery, {name: demo, probability: 20%}, {closing: {probability: 80%}}]
    won: [signed]
    lost: [price, went elsewhere]
    recycle: {to: lead, after: 90d}
""")
    assert project.pipelines["sales"] == Pipeline(
        "sales",
        (DealStage("discovery"), DealStage("demo", 0.2), DealStage("closing", 0.8)),
        ("signed",),
        ("price", "went elsewhere"),
        Recycle("lead", Duration(days=90)),
    )


def test_a_score_has_rules_a_half_life_and_thresholds() -> None:
    project = good("""
events: {viewed: {path: text}}
attributes: {role: text}
scores:
  interest:
    half_life: 30d
    at_most: 100
    rules:
      - {event: viewed, where: {path: {starts_with: /pricing}}, points: 5}
      - {event: mail.replied, points: +20}
      - {if: {lead: {role: owner}}, points: 10}
    thresholds: {warm: 20, hot: {at: 40, hysteresis: 5}}
""")
    assert project.scores["interest"] == Score(
        "interest",
        (
            ScoreRule(5.0, "viewed", Field("event", ("path",), (Test("starts_with", "/pricing"),))),
            ScoreRule(20.0, "mail.replied"),
            ScoreRule(10.0, None, None, Field("lead", ("role",), (Test("is", "owner"),))),
        ),
        Duration(days=30),
        100.0,
        (Threshold("warm", 20.0), Threshold("hot", 40.0, 5.0)),
    )


def test_topics_and_forms_are_read_with_a_bare_text_in_the_projects_language() -> None:
    project = good("""
locale: fr
topics:
  letter:
    {title: La lettre, wording: {fr: Oui, en: Yes}, basis: soft_opt_in, similar_to: tea, double_opt_in: false,
      expires_after: 3y}
forms:
  nps: {fields: {score: number}, title: Votre avis, topics: [letter]}
""")
    assert project.topics["letter"] == Topic(
        "letter", {"fr": "La lettre"}, {"fr": "Oui", "en": "Yes"}, "soft_opt_in", False, Duration(months=36), "tea"
    )
    assert project.forms["nps"] == Form("nps", {"score": "number"}, {"fr": "Votre avis"}, ("letter",))


def test_a_form_says_how_its_fields_are_asked_for() -> None:
    project = good("""
locale: fr
forms:
  nps:
    fields: {score: number, why: text}
    inputs: {score: {label: Votre note, choices: {5: {fr: Bien, en: Good}}}, why: {lines: 4}}
""")
    assert project.forms["nps"].inputs == {
        "score": Input({"fr": "Votre note"}, {"5": {"fr": "Bien", "en": "Good"}}),
        "why": Input(lines=4),
    }


def test_an_input_without_a_field_of_its_name_is_told() -> None:
    found = read("forms: {nps: {fields: {score: number}, inputs: {scor: {label: x}}}}").problems
    assert [(p.code, p.message) for p in found] == [("N302", "unknown field 'scor' of this form")]


def test_segments_of_both_files_are_one_and_may_name_one_another() -> None:
    project = good(
        "events: {bought: {}}\nsegments: {buyers: {did: {event: bought}}}",
        "quiet: {not: {segment: buyers}}\n",
    )
    assert set(project.segments) == {"buyers", "quiet"}
    assert project.segments["buyers"] == Did("bought")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("timezone: Paris", "N210"),
        ("locale: french", "N216"),
        ("attributes: {a: string}", "N217"),
        ("attributes: {a: [text]}", "N217"),
        ("events: {a.b: {}}", "N209"),
        ("funnel: [a, b, a]", "N505"),
        ("funnels: {x: {stages: [a]}, y: {stages: [a]}}", "N505"),
        ("funnel: [a]\nfunnels: {x: {stages: [b]}}", "N114"),
        ("funnel: [a, {name: b, moves: [c]}]", "N304"),
        ("funnel: [a, {name: b, enter_if: {consent: x}}]", "N303"),
        ("pipelines: {s: {stages: [{name: a, probability: 0.2}]}}", "N205"),
        ("pipelines: {s: {stages: [a], recycle: {to: b, after: 1d}}}", "N304"),
        ("caps: {marketing: {at_most: 3}}", "N113"),
        ("caps: {marketing: {at_most: 0, per: 7d}}", "N212"),
        ("teams: {sales: [ann]}", "N211"),
        ("holidays: {ours: [2026-08-14T10:00]}", "N202"),
        ("window: {holidays: XX}", "N312"),
        ("window: {holidays: [CH-QQ]}", "N312"),
        ("topics: {a: {basis: implied}}", "N207"),
        ("topics: {a: {basis: legitimate_interest}}", "N504"),
        ("topics: {a: {basis: soft_opt_in}}", "N507"),
        ("scores: {a: {rules: [{points: 3}]}}", "N113"),
        ("scores: {a: {rules: [{event: x, points: 3}]}}", "N301"),
        ("segments: {a: {b: c}}", "N112"),
        ("alerts: {blast: none}", "N206"),
        ("channels: {chat: nothing}", "N307"),
        ("colour: red", "N112"),
    ],
)
def test_a_mistake_in_the_config_is_a_problem(body: str, code: str) -> None:
    assert codes(read(body).problems) == [code]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("scores: {a: {rules: [{if: {score: {a: 3}}, points: 3}]}}", "N328"),
        ("funnel: [x]\nscores: {a: {rules: [{if: {stage: x}, points: 3}]}}", "N328"),
        (
            "funnel: [x]\nsegments: {s: {not: {stage: x}}}\nscores: {a: {rules: [{if: {segment: s}, points: 3}]}}",
            "N328",
        ),
        ("funnel: [x, {name: y, enter_if: {in_campaign: c}}]", "N327"),
        ("segments: {s: {finished: c}}\nfunnel: [x, {name: y, enter_if: {any: [{segment: s}, {tag: t}]}}]", "N327"),
        ("segments: {a: {segment: b}, b: {not: {segment: a}}}", "N329"),
    ],
)
def test_a_circle_is_refused(body: str, code: str) -> None:
    assert codes(read(body).problems)[0] == code


def test_a_segment_written_in_both_files_is_a_problem() -> None:
    assert codes(read("segments: {a: {tag: x}}", "a: {tag: y}").problems) == ["N105"]


def test_the_file_needs_the_projects_name() -> None:
    assert codes(read_project(("config.yaml", "locale: fr")).problems) == ["N113"]
    assert codes(read_project(("config.yaml", "")).problems) == ["N100"]
    assert codes(read_project(("config.yaml", "- a")).problems) == ["N110"]


def test_a_legitimate_interest_is_complete_with_assessment_and_countries() -> None:
    project = good("topics: {a: {title: A, basis: legitimate_interest, assessment: LIA-7, countries: [US]}}")
    assert (project.topics["a"].assessment, project.topics["a"].countries) == ("LIA-7", ("US",))


def test_the_example_of_these_tests_is_whole() -> None:
    assert shop().funnel_of("bought") == shop().funnels["second"]
    assert shop().funnels["shop"].stages[2] == Stage("sql", moves=("lead",))

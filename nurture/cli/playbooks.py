"""What `nurture init` can begin with: a folder, taken as it lies, or a data file that fills the templates of `_small`.

A data file is a page of YAML: its funnel or pipelines, its one campaign with the tests, the words of its mails. What
all of them share (the head of config.yaml, the layout of the mails, sample people) is written once. In other languages
the words of the mails stand in `_small`, a file a language.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import cycle
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, StrictUndefined

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

COMMON = "_common"  # what every project begins with: the layout of its mails, the list of what git leaves alone
SMALL = "_small"
_ROOT = files("nurture") / "playbooks"
LOCALES = ("fr", "ro")  # that mails of data files have besides English
_RENAMED = {"gitignore": ".gitignore"}  # a package may not carry the dotted one
_SECTIONS = ("funnel", "pipelines", "scores", "attributes", "events", "forms", "teams")
_PLAIN_STAGES = ("lead", "opportunity", "client")  # of the funnel in _small/config.yaml


def listed() -> dict[str, str]:
    """Every playbook's name with one line on what it is, in the order to show them."""
    lines: dict[str, str] = yaml.safe_load((_ROOT / "index.yaml").read_text("utf-8"))
    return lines


def files_of(name: str) -> dict[str, bytes]:
    """The files of a new project, by their path in it. `name` is a listed one."""
    own = _tree(_ROOT / name) if (_ROOT / name).is_dir() else _small(name)
    return _tree(_ROOT / COMMON) | own


def _tree(folder: Traversable, below: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for item in folder.iterdir():
        path = below + _RENAMED.get(item.name, item.name)
        if not item.is_dir():
            found[path] = item.read_bytes()
        elif item.name != "__pycache__":
            found |= _tree(item, path + "/")
    return found


def _small(name: str) -> dict[str, bytes]:
    told: dict[str, Any] = yaml.safe_load((_ROOT / f"{name}.yaml").read_text("utf-8"))
    sections = {section: told.get(section, "").rstrip("\n") for section in _SECTIONS}
    campaign = yaml.safe_load(told["campaign"])["campaign"]
    shared = sections | {"name": name, "line": listed()[name], "first_mail": next(iter(told["mails"]))}
    written = {
        "config.yaml": _fill("config.yaml", shared),
        "README.md": _fill("README.md", shared),
        f"campaigns/{campaign}.yaml": told["campaign"],
        "mappings/leads.yaml": _read("leads.yaml"),
        "data/leads.csv": _people(sections["funnel"]),
    }
    for locale, mails in {"en": told["mails"], **_translated(told["mails"])}.items():
        for mail, words in mails.items():
            all_words = {"service": False, "locale": locale} | words
            written[f"templates/{mail}.{locale}.html"] = _fill("mail.html", all_words)
    for notice, words in told["notices"].items():
        written[f"templates/{notice}.html"] = _fill("notice.html", words)
    if sections["pipelines"]:
        written |= {"mappings/deals.yaml": _read("deals.yaml"), "data/deals.csv": _deals(sections["pipelines"])}
    return {path: text.encode() for path, text in written.items()}


def _translated(mails: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """By language the mails it has words for; links and what is a service mail are those of the English."""
    known = {locale: yaml.safe_load(_read(f"{locale}.yaml")) for locale in LOCALES}
    return {
        locale: {mail: english | words[mail] for mail, english in mails.items() if mail in words}
        for locale, words in known.items()
    }


def _fill(template: str, words: dict[str, Any]) -> str:
    """Square brackets, because what is written has Jinja's curly ones of its own."""
    environment = Environment(  # noqa: S701 - nobody's data, and YAML for the most part
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.from_string(_read(template)).render(words)


def _read(name: str) -> str:
    return (_ROOT / SMALL / name).read_text("utf-8")


def _sample() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_read("people.csv"))))


def _people(funnel: str) -> str:
    """The sample people, spread over the funnel's stages."""
    stages = [stage["name"] for stage in yaml.safe_load(funnel)["stages"]] if funnel else _PLAIN_STAGES
    return _csv([person | {"stage": stage} for person, stage in zip(_sample(), cycle(stages), strict=False)])


def _deals(pipelines: str) -> str:
    """A deal for each stage, then one that was won, and one lost for each reason."""
    rows = []
    for pipeline, told in yaml.safe_load(pipelines).items():
        ends = [("won", reason) for reason in told["won"]] + [("lost", reason) for reason in told["lost"]]
        deals = [(stage["name"], "open", "") for stage in told["stages"]]
        deals += [(told["stages"][-1]["name"], *end) for end in ends]
        for number, (person, (stage, outcome, reason)) in enumerate(zip(_sample(), deals, strict=False), start=1):
            opened = datetime.fromisoformat(person["agreed_at"])
            closed = (opened + timedelta(days=30 + 3 * number)).isoformat(timespec="minutes")
            rows.append(
                {
                    "id": f"d{number}",
                    "lead": person["id"],
                    "pipeline": pipeline,
                    "stage": stage,
                    "amount": str(1200 * number),
                    "opened_at": person["agreed_at"],
                    "closed_at": "" if outcome == "open" else closed,
                    "outcome": outcome,
                    "reason": reason,
                }
            )
    return _csv(rows)


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()

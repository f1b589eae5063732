"""docs/reference/rules.md: what `nurture check` finds beyond mistakes of writing, each with an example of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nurture.campaign.read import read_campaigns, read_project
from nurture.campaign.rules import rules
from nurture.campaign.rules.rule import EXAMPLE_CONFIG, EXAMPLE_TODAY, Rule

_HEAD = f"""# What `check` warns of, by example

Written from the rules themselves. Each shows a campaign it finds something in, what it says, and one it leaves alone.
The words for all codes are in [Problems and their codes](problems.md). The examples are written for this config.yaml:

```yml
{EXAMPLE_CONFIG.rstrip()}
```
"""


def rules_page() -> str:
    """Markdown: a section for each rule, by code."""
    return "\n".join([_HEAD, *(_section(rule) for rule in rules())])


def _section(rule: Rule) -> str:
    return "\n".join([f"## {rule.code} · {rule.severity}", "", *_lines(rule), ""])


def _lines(rule: Rule) -> Iterator[str]:
    yield rule.says
    if rule.config:
        yield from ("", "With this in config.yaml:", "", *_block("yml", [rule.config]))
    yield from ("", *_block("yml", rule.fails), "", *_block("text", _said(rule)))
    yield from ("", "Left alone:", "", *_block("yml", rule.passes))


def _said(rule: Rule) -> list[str]:
    project = read_project(("config.yaml", EXAMPLE_CONFIG + rule.config)).project
    files = {f"campaigns/{text.split()[1]}.yaml": text for text in rule.fails}
    return [str(problem) for problem in read_campaigns(files, project, today=EXAMPLE_TODAY).problems]


def _block(language: str, texts: Sequence[str]) -> list[str]:
    joined = "\n\n".join(text.rstrip() for text in texts)
    return [f"```{language}", joined, "```"]

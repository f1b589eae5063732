"""A project's own words for the mails that come with nurture."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.house import open_house

OWN = """---
subject: "Encore un mot"
---
<p>{{ consent.wording }}</p><p><a href="{{ links.confirm(consent.topic) }}">Oui</a></p>
"""


def test_c08_a_projects_own_confirmation_is_the_one_that_is_sent(tmp_path: Path) -> None:
    with open_house(tmp_path, own={"consent/confirm.html": OWN}) as house:
        house.door.submit("letter", {"email": "eva@posta.example", "topics": ["newsletter"]}, "10.0.0.1")
        assert [letter.subject for letter in house.work()] == ["Encore un mot"]

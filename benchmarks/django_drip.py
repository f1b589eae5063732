"""The same leads, the same mail and the same sink through django-drip-campaigns, as its documentation sets it up.

    python benchmarks/django_drip.py make DATABASE WORK.json
    python benchmarks/django_drip.py run DATABASE PORT

Run by the environment of requirements-peers.txt. `run` does what its `send_drips` command does, and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import django
import memory
from django.conf import settings


def set_up(database: str, port: int) -> None:
    settings.configure(
        SECRET_KEY="a secret of the benchmark",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_people",
            "drip",
        ],
        AUTH_USER_MODEL="django_people.Person",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        DRIP_FROM_EMAIL="news@shop.example",
        DRIP_MESSAGE_CLASSES={"default": "django_letter.OneClickMessage"},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


def make(database: str, work: dict[str, Any]) -> None:
    """A database with these people and one drip that they all fit."""
    from django.core.management import call_command
    from django_people.models import Person
    from drip.models import Drip, QuerySetRule

    call_command("migrate", run_syncdb=True, verbosity=0)
    people = [
        Person(username=address, email=address, first_name=name, cart=cart) for address, name, cart in work["leads"]
    ]
    Person.objects.bulk_create(people, batch_size=1_000)
    drip = Drip.objects.create(
        name="cart", enabled=True, subject_template=work["subject"], body_html_template=work["html"]
    )
    QuerySetRule.objects.create(drip=drip, field_name="abandoned", lookup_type="exact", field_value="True")


def run() -> dict[str, Any]:
    """Send every drip to whoever it fits, once."""
    from django.core.management import call_command
    from drip.models import SentDrip

    began, worked = time.perf_counter(), time.process_time()
    call_command("send_drips")
    took, busy = time.perf_counter() - began, time.process_time() - worked
    peak = memory.peak_mb()
    sent = SentDrip.objects.count()
    return {"states": {"sent": sent}, "seconds": took, "processor_s": busy, "peak_mb": peak}


def main() -> None:
    what, database, last = sys.argv[1:]
    if what == "make":
        set_up(database, 0)
        make(database, json.loads(Path(last).read_text("utf-8")))
    else:
        set_up(database, int(last))
        print(json.dumps(run()))


if __name__ == "__main__":
    main()

"""A mail that is sent only to be looked at: with every header a marketing mail has (trust E5)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.delivery.transport import Mail

TEXT = """\
"nurture doctor" sent this mail to see what your mail server makes of it.

Save it as it arrived, with all headers ("show original", "download message"),
and have it judged:

    nurture doctor --signed FILE.eml

Its unsubscribe link opens nothing.
"""


def probe(app: App, to: str, now: datetime) -> Mail:
    """The mail as bytes, signed with the keys there are; `now` dates it and names it."""
    from nurture.delivery.transport import Mail
    from nurture.mail.header import Mailbox
    from nurture.mail.links import Links
    from nurture.mail.message import Head, Letterhead, build

    sender = app.settings.project.sender
    domain = sender.email.rpartition("@")[2]
    base = app.settings.base_url if app.settings.base_url.startswith("https:") else "https://links.invalid"
    links = Links(base, ["a probe's links open nothing"])
    letterhead = Letterhead(
        sender=Mailbox(sender.email, sender.name),
        marketing=True,
        reply_to=Mailbox(sender.reply_to or sender.email),
        list_id=f"probe.{domain}",
        list_name="Probe",
        feedback_id="probe:doctor:nurture",
    )
    head = Head(
        letterhead=letterhead,
        to=Mailbox(to),
        subject="A probe by nurture doctor",
        message_id=f"probe.{now:%Y%m%d%H%M%S%f}@{domain}",
        date=now,
        unsubscribe=links.unsubscribe(0, "", 0),
    )
    data = app.signer().sign(build(head, TEXT), domain, now)
    return Mail(0, f"{links.verp(0)}@{domain}", to, data)

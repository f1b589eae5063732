"""The one place that joins the parts: from settings to a worker's and an endpoint's services."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from nurture.campaign.duration import Duration
from nurture.clock import Clock, WallClock, machine_now
from nurture.delivery.calls import Calls
from nurture.delivery.dispatch import Dispatch
from nurture.delivery.dkim import Signer, read_key
from nurture.delivery.imap import Imap
from nurture.delivery.journal import Journal
from nurture.delivery.judging import Judge, Retry
from nurture.delivery.local import ConsoleTransport, FolderTransport
from nurture.delivery.loopback import is_local
from nurture.delivery.maildir import Maildir
from nurture.delivery.pacing import Lanes, Pace
from nurture.delivery.returns import Box, Returns
from nurture.delivery.smtp import SmtpOptions, SmtpTransport
from nurture.delivery.transport import Transport
from nurture.engine import flood, guard, privacy, restoring, retention, stages
from nurture.engine.confirming import Confirming
from nurture.engine.consent import ConsentRules
from nurture.engine.exporting import Processing
from nurture.engine.feedback import Feedback
from nurture.engine.ingest import Ingest
from nurture.engine.live import Live, load_live
from nurture.engine.passes import Passes
from nurture.engine.retention import retention_of
from nurture.engine.scanners import Scanners, known_scanners
from nurture.engine.turn import Turn
from nurture.errors import UserError
from nurture.folder import read_folder
from nurture.funnel.stages import MoveRefused
from nurture.lead.address import is_among
from nurture.lead.keyring import Keyring
from nurture.mail.links import Links
from nurture.mail.outcome import default_rules
from nurture.mail.provider import provider_of
from nurture.settings import Settings, load_settings
from nurture.store import keys, migrate, suppressions
from nurture.store.database import Database, open_database
from nurture.store.suppression_journal import suppression_journal

JOURNALS = ".nurture"  # beside config.yaml: the wire journals of this machine's workers


@dataclass
class App:
    """A project, opened. Everything a command needs is made from it, once."""

    settings: Settings
    database: Database
    clock: Clock = field(default_factory=WallClock)
    _live: Live | None = None

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.settings.secrets)

    @cached_property
    def links(self) -> Links:
        """Makes and reads links, those of secrets long gone too where they take consent back (trust C16)."""
        with self.database.read() as tx:
            kept = keys.kept_link_keys(tx)
        return Links(self.settings.base_url, self.settings.secrets, kept=kept, mailto=self.settings.unsubscribe_mail)

    @property
    def journals(self) -> Path:
        return self.settings.root / JOURNALS

    def live(self) -> Live | None:
        """What is live now; None before the first deploy."""
        with self.database.read() as tx:
            self._live = load_live(tx, self.keyring, self._live, self.allowed)
        return self._live

    def rules(self) -> ConsentRules:
        """What consent is judged by: the live project, else that of the files."""
        live = self.live()
        if live is not None:
            return replace(live.consent_rules, confirming=self._confirming)
        return ConsentRules(self.settings.project, self.keyring, {}, provider_of, self._confirming)

    @property
    def _confirming(self) -> Confirming:
        limits = self.settings.limits
        return Confirming(an_hour=limits.confirmations, a_domain=limits.confirmations_per_domain)

    @property
    def processing(self) -> Processing:
        """What people are told about the use of their data."""
        s = self.settings
        told = [*s.privacy.recipients]
        if s.transport == "smtp" and not is_local(s.smtp.host):
            told.append(f"{s.smtp.host}: sends the mails")
        if s.imap is not None and not is_local(s.imap.host):
            told.append(f"{s.imap.host}: keeps returned mail")
        told += [f"{name}: reports what became of mails" for name in s.providers]
        told += [f"{urlsplit(url).hostname}: webhook '{name}'" for name, url in s.webhooks.items()]
        return Processing(
            controller=s.privacy.controller,
            contact=s.privacy.contact,
            notice_url=s.privacy.notice_url,
            recipients=tuple(told),
            stored_in=s.privacy.stored_in,
            retention={kind: str(kept) for kind, kept in retention_of(s.privacy.retention).items()},
            purposes={topic.name: topic.basis for topic in s.project.topics.values()},
            measures=s.privacy.measures,
        )

    def check(self) -> None:
        """Refuse to work on a schema or a suppression list that is not ours."""
        migrate.check(self.database)
        with self.database.write() as tx:
            suppressions.guard(tx, self.keyring, machine_now())
            keys.keep_link_keys(tx, self.links.keys_to_keep())
        if self.database.journal is not None:  # a restored backup must not write to who left since (trust C25)
            restoring.replay(self.database, self.database.journal, self.live(), self.clock.now())
        if (returns := self.returns()) is not None:
            returns.box.check()

    def passes(self) -> Passes:
        return Passes(self.database, self.keyring, self.allowed)

    @cached_property
    def allowed(self) -> Callable[[str], bool] | None:
        """The staging guard: whether an address may be mailed; None where there is none (trust R18)."""
        names = self.settings.allow_recipients
        return None if names is None else lambda address: is_among(address, names)

    def transport(self) -> Transport:
        """The way out that the settings name. Made inside the event loop that uses it."""
        s = self.settings
        match s.transport:
            case "folder":
                return FolderTransport(s.mail_folder or s.root / "mails")
            case "console":
                return ConsoleTransport(sys.stdout)
            case _:
                return SmtpTransport(
                    SmtpOptions(
                        host=s.smtp.host,
                        port=s.smtp.port,
                        tls=s.smtp.tls,
                        username=s.smtp.username,
                        password=s.smtp.password,
                        allow_insecure=s.smtp.allow_insecure,
                        ca_file=s.smtp.ca_file,
                        local_hostname=s.smtp.local_hostname or "localhost",
                        connections=s.smtp.connections,
                        mails_per_connection=s.smtp.mails_per_connection,
                    )
                )

    def dispatch(self, worker: str, journal: Journal | None, transport: Transport | None = None) -> Dispatch:
        smtp = self.settings.smtp
        return Dispatch(
            database=self.database,
            keyring=self.keyring,
            links=self.links,
            transport=transport or self.transport(),
            clock=self.clock,
            judge=self.judge(),
            worker=worker,
            allowed=self.allowed,
            warm_up=smtp.warm_up,
            journal=journal,
            signer=self.signer(),
        )

    def judge(self) -> Judge:
        """What becomes of mails that are not taken, as the settings say."""
        smtp = self.settings.smtp
        common = Pace(rate=smtp.rate, connections=smtp.connections)
        paces = {name: Pace(p.rate, connections=smtp.connections) for name, p in smtp.providers.items()}
        return Judge(
            rules=default_rules(self.settings.outcomes),
            lanes=Lanes(common, paces),
            retry=Retry(_exact(smtp.retry.first), _exact(smtp.retry.longest), _exact(smtp.retry.give_up)),
            resend=smtp.unknown.resend,
            # Another server, or another password, is another way: mending config.yaml opens what these closed.
            server=self.keyring.mac("mail server", f"{smtp.host}:{smtp.port}:{smtp.username}:{smtp.password}")[:16],
        )

    def calls(self, dispatch: Dispatch) -> Calls:
        """Webhooks, beside the mails of that dispatch."""
        return Calls(dispatch, self.settings.webhooks)

    def signer(self) -> Signer:
        """Our own DKIM keys. Raises UserError for one that cannot sign."""
        return Signer([read_key(d.domain, d.selector, d.key) for d in self.settings.dkim])

    def feedback(self, source: str) -> Feedback:
        """What is heard of mails after they left, told by `source`."""
        return Feedback(self.links, self.keyring, default_rules(self.settings.outcomes), source)

    def box(self, maildir: Path | None = None) -> Box | None:
        """Where returned mail arrives, where config.yaml or `maildir` names it."""
        imap, path = self.settings.imap, maildir or self.settings.maildir
        if path is not None:
            return Maildir(path)
        if imap is None:
            return None
        port = imap.port or (993 if imap.tls == "implicit" else 143)
        return Imap(imap.host, imap.username, imap.password, port, imap.tls, imap.mailbox, self._beside(imap.ca_file))

    def returns(self, maildir: Path | None = None) -> Returns | None:
        """The reader of that box."""
        box = self.box(maildir)
        if box is None:
            return None
        return Returns(box, self.database, self.feedback("maildir" if isinstance(box, Maildir) else "imap"))

    def _beside(self, name: str | None) -> str | None:
        """A path as config.yaml has it, which lies beside that file where it is relative."""
        return str(self.settings.root / name) if name else None

    def read_returns(self) -> dict[str, int]:
        """Act on returned mail that is new; how often each thing came of it. Raises UserError where it cannot be
        read."""
        returns = self.returns()
        if returns is None or (live := self.live()) is None:
            return {}
        return dict(returns.read(live, self.clock.now()))

    def guard(self) -> None:
        """Pause campaigns whose mails come back or are called spam (trust E27); tell of a flood of sign-ups."""
        live = self.live()
        if live is not None:
            guard.run(self.database, live, self.clock.now())
            flood.run(self.database, live, self.clock.now())

    def retain(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Take away, once a night, what was kept long enough (trust C26); whether this was the time."""
        live = self.live()
        limits = retention_of(self.settings.privacy.retention)
        now = self.clock.now()
        return live is not None and retention.nightly(self.database, live, self.keyring, limits, now, stopping)

    @property
    def scanners(self) -> Scanners:
        """Networks of mail gateways, the project's own before ours. Raises UserError for a line that is none."""
        return known_scanners(self._own("scanners.txt"))

    def _own(self, name: str) -> str:
        """A file that a project may have beside config.yaml."""
        path = self.settings.root / name
        return path.read_text("utf-8") if path.is_file() else ""

    def ingest(self) -> Ingest:
        return Ingest(self.database, self.clock, self.rules)

    def move(self, lead: int, stage: str, reason: str | None, actor: str) -> str | None:
        """Move a lead's stage for a person or the API; the refusal in words, None where it moved."""
        now = self.clock.now()
        live = self.live()
        if live is None:
            raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
        with self.database.write() as tx:
            turn = Turn(tx, live)
            turn.load([lead])
            moved = stages.move(turn, lead, stage, at=now, cause="api", reason=reason or f"by {actor}")
            turn.flush()
        return moved.text if isinstance(moved, MoveRefused) else None

    def erase(self, lead: int, actor: str) -> None:
        """Take a lead out for good."""
        live = self.live()
        if live is None:
            raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
        with self.database.write() as tx:
            privacy.erase(Turn(tx, live), lead, actor, self.clock.now())


def open_app(root: Path, environ: Mapping[str, str] | None = None, clock: Clock | None = None) -> App:
    """The project in this folder, with its database open. Raises ProjectProblems where a setting is missing."""
    settings = load_settings(read_folder(root), environ if environ is not None else os.environ)
    database = open_database(settings.database)
    database.journal = suppression_journal(root)
    return App(settings, database, clock or WallClock())


def worker_name() -> str:
    """A name no other worker has: machine, process, and the instant it began."""
    return f"{socket.gethostname()}-{os.getpid()}-{machine_now():%H%M%S%f}"


def _exact(duration: Duration) -> timedelta:
    """Retry times need no calendar: a day is 24 hours."""
    return timedelta(days=duration.days + 30 * duration.months + duration.workdays, seconds=duration.seconds)

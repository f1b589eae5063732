"""config.yaml as a whole: the language's part for every command, the machine's part for those that reach out.

`check`, `test` and `simulate` need only the language's part (`read_language`), so no secret has to be there for them.
What sends or serves asks for `load_settings`, which puts in every `${NAME}` and `${file:PATH}` and names the missing
(trust X17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from nurture.campaign.problems import Mark, Problem, ProjectProblems, errors
from nurture.campaign.project import Project
from nurture.campaign.read import ProjectReading, read_project
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.kinds import Got
from nurture.campaign.source import Findings, Node, Scalar, expand, placeholders, read_tree
from nurture.campaign.source import Mapping as MappingNode
from nurture.folder import Folder
from nurture.mail.outcome import RulesBroken, default_rules
from nurture.option_kinds import DatabaseUrl
from nurture.options import MACHINE, Dkim, Imap, Limits, Privacy, ReturnsOptions, Smtp

MIN_SECRET = 16  # characters; shorter ones can be tried out


@dataclass(frozen=True)
class Settings:
    """All of config.yaml, secrets put in. `database` is a URL whose SQLite file is an absolute path."""

    root: Path
    project: Project
    base_url: str
    database: str
    secrets: tuple[str, ...] = field(repr=False)
    transport: Literal["smtp", "folder", "console"] = "smtp"
    mail_folder: Path | None = None
    smtp: Smtp = field(default_factory=Smtp)
    outcomes: str = ""  # the text of the project's own outcome rules
    allow_recipients: tuple[str, ...] | None = None  # domains and addresses; None: everybody (trust R18)
    dkim: tuple[Dkim, ...] = field(default=(), repr=False)
    webhooks: dict[str, str] = field(default_factory=dict, repr=False)  # addresses by name; they may hold secrets
    maildir: Path | None = None  # where bounces, complaints and replies arrive: a folder …
    imap: Imap | None = None  # … or a mailbox at a server
    unsubscribe_mail: str = ""  # whose mail arrives there too, and unsubscribes
    providers: dict[str, str] = field(default_factory=dict, repr=False)  # signing secrets of POST /hooks/NAME
    trusted_proxies: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    privacy: Privacy = field(default_factory=Privacy)


def read_language(folder: Folder, environ: Mapping[str, str] | None = None) -> ProjectReading:
    """The project and every problem of config.yaml that shows without its secrets. A `${NAME}` that is not set is left
    open, not a problem."""

    def prepare(tree: Node, findings: Findings) -> Node:
        names = [name for name, _ in placeholders(tree)]
        return _put_in(tree, {name: environ[name] for name in names if environ and name in environ})

    reading = read_project(folder.config, folder.segments, MACHINE, prepare)
    if reading.got is None:
        return reading
    findings = Findings()
    findings.learn(*folder.config)
    _outcomes(reading.got, folder.root, findings)
    return replace(reading, problems=[*reading.problems, *findings.problems])


def _outcomes(got: Got, root: Path, findings: Findings) -> str:
    """The project's own outcome rules; what keeps them from being read is a problem at its line (trust E15)."""
    smtp: Smtp | None = got["smtp"]
    if smtp is None or smtp.outcomes is None:
        return ""
    name, section = smtp.outcomes, got.nodes["smtp"]
    try:
        text = (root / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        written = section.get("outcomes") if isinstance(section, MappingNode) else None
        mark = section.mark if written is None else written.mark
        findings.add(mark, "N511", f"the file '{name}' cannot be read", "it is looked for beside config.yaml")
        return ""
    try:
        default_rules(text)
    except RulesBroken as error:
        findings.learn(name, text)
        findings.add(Mark(name, error.line), "N506", error.message)
    return text


def read_stored(folder: Folder, environ: Mapping[str, str]) -> ProjectReading:
    """As `read_language`, for a deploy: what is stored and printed in mails must be known, so a `${NAME}` in it that is
    not set is a problem. Those of the machine's part, the secrets, are the worker's and not needed here (trust X17)."""

    def prepare(tree: Node, findings: Findings) -> Node:
        known = {name: environ[name] for name, _ in placeholders(tree) if name in environ}
        if isinstance(tree, MappingNode):
            kept = [(key, value) for key, value in tree.entries if key.text not in MACHINE and key.text != "webhooks"]
            known |= _look_up(MappingNode(tree.mark, tuple(kept)), folder.root, environ, findings)
        return _put_in(tree, known)

    return read_project(folder.config, folder.segments, MACHINE, prepare)


def load_settings(folder: Folder, environ: Mapping[str, str]) -> Settings:
    """All settings of the project. Raises ProjectProblems with everything that keeps a worker from starting."""
    webhooks: dict[str, str] = {}

    def prepare(tree: Node, findings: Findings) -> Node:
        known = _look_up(tree, folder.root, environ, findings)
        webhooks.update(_webhooks(expand(tree, known)))
        return _put_in(tree, known)

    reading = read_project(folder.config, folder.segments, MACHINE, prepare)
    problems = errors(reading.problems)
    if reading.got is None or problems:
        raise ProjectProblems(problems)
    findings = Findings()
    findings.learn(*folder.config)
    _require(reading.got, reading.project, findings)
    outcomes = _outcomes(reading.got, folder.root, findings)
    if findings.found:
        raise ProjectProblems(findings.problems)
    return replace(_settings(folder.root, reading.project, reading.got, webhooks), outcomes=outcomes)


def _put_in(tree: Node, known: Mapping[str, str]) -> Node:
    """The tree with what is known, but for `webhooks`: their addresses may hold secrets, and the project is stored."""
    if not isinstance(tree, MappingNode):
        return tree
    entries = ((key, value if key.text == "webhooks" else expand(value, dict(known))) for key, value in tree.entries)
    return MappingNode(tree.mark, tuple(entries))


def _look_up(tree: Node, root: Path, environ: Mapping[str, str], findings: Findings) -> dict[str, str]:
    """What each `${…}` of the tree stands for; those that stand for nothing are problems."""
    known: dict[str, str] = {}
    for name, node in placeholders(tree):
        if name.startswith("file:"):
            try:
                known[name] = (root / name[5:]).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                findings.add(
                    node.mark, "N511", f"the file '{name[5:]}' cannot be read", "it is looked for beside config.yaml"
                )
        elif not name.isidentifier():
            findings.add(node.mark, "N512", f"'${{{name}}}' is not a reference", "write '${NAME}' or '${file:PATH}'")
        elif name not in environ:
            findings.add(node.mark, "N510", f"the environment variable '{name}' is not set", f"set it: export {name}=…")
        else:
            known[name] = environ[name]
    return known


def _require(got: Got, project: Project, findings: Findings) -> None:
    """What a worker cannot do without."""
    top = got.mark

    def missing(key: str, hint: str) -> None:
        findings.add(top, "N520", f"'{key}' is missing; mails cannot go without it", hint)

    if "base_url" not in got:
        missing("base_url", "such as 'base_url: https://news.example.com': unsubscribe links lead there")
    if "secrets" not in got:
        missing("secrets", "such as 'secrets: [\"${NURTURE_SECRET}\"]': they sign the links in mails")
    if "smtp" not in got and got["transport"] in (None, "smtp"):
        missing("smtp", "such as 'smtp: {host: smtp.example.com, port: 587}'")
    if not project.sender.email:
        missing("sender.email", "such as 'sender: {name: Acme, email: news@example.com}'")
    if not project.sender.postal_address:
        missing("sender.postal_address", "it is printed in every marketing mail")
    for secret in got.get("secrets", ()):
        if len(secret) < MIN_SECRET:
            hint = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            findings.add(got.mark_of("secrets"), "N521", f"a secret has fewer than {MIN_SECRET} characters", hint)
    _require_alignment(got, project, findings)
    _require_wordings(got, project, findings)


def _require_alignment(got: Got, project: Project, findings: Findings) -> None:
    """A signature of another domain than the sender's counts for nothing (DMARC, trust E5)."""
    domain = project.sender.email.rpartition("@")[2].lower()
    own = [d.domain.lower() for d in got.get("dkim", ())]
    if own and domain and not any(domain == name or domain.endswith("." + name) for name in own):
        message = f"no 'dkim' key is for '{domain}', the domain of 'sender.email', or one above it"
        findings.add(got.mark_of("dkim"), "N523", message, "receivers take a signature of another domain for nothing")


def _require_wordings(got: Got, project: Project, findings: Findings) -> None:
    section = got.nodes.get("topics")
    for key, _ in section.entries if isinstance(section, MappingNode) else ():
        topic = project.topics.get(key.text)
        if topic is None or topic.basis == "service":
            continue
        for part, texts in (("title", topic.title), ("wording", topic.wording)):
            if project.locale not in texts and project.locale.split("-")[0] not in texts:
                message = f"the topic '{topic.name}' has no {part} in '{project.locale}', the project's language"
                findings.add(key.mark, "N522", message, "it is what people read and agree to")


def _settings(root: Path, project: Project, got: Got, webhooks: dict[str, str]) -> Settings:
    returns = got.get("returns", ReturnsOptions())
    mail_folder = got["mail_folder"] or ("mails" if got["transport"] == "folder" else None)
    return Settings(
        root=root,
        project=project,
        base_url=got["base_url"],
        database=_absolute(got.get("database", "sqlite:///nurture.db"), root),
        secrets=tuple(got["secrets"]),
        transport=got.get("transport", "smtp"),
        mail_folder=root / mail_folder if mail_folder else None,
        smtp=got.get("smtp", Smtp()),
        allow_recipients=got["allow_recipients"],
        dkim=got.get("dkim", ()),
        webhooks=webhooks,
        maildir=root / returns.maildir if returns.maildir else None,
        imap=returns.imap,
        unsubscribe_mail=returns.unsubscribe,
        providers=got.get("providers", {}),
        trusted_proxies=got.get("trusted_proxies", ()),
        limits=got.get("limits", Limits()),
        privacy=got.get("privacy", Privacy()),
    )


def _webhooks(full: Node) -> dict[str, str]:
    section = full.get("webhooks") if isinstance(full, MappingNode) else None
    urls = {
        key.text: value.get("url")
        for key, value in (section.entries if isinstance(section, MappingNode) else ())
        if isinstance(value, MappingNode)
    }
    return {name: url.text for name, url in urls.items() if isinstance(url, Scalar)}


def _absolute(database: str, root: Path) -> str:
    """`sqlite:///nurture.db` lies in the project's folder, whatever folder the command is given in."""
    if not database.startswith("sqlite:///"):
        return database
    path, query, options = database.removeprefix("sqlite:///").partition("?")
    return f"sqlite:///{root.resolve() / path}{query}{options}"


def database_url(folder: Folder, environ: Mapping[str, str]) -> str:
    """Only where the database is, for commands that need nothing else of the machine's part. Raises ProjectProblems
    where it, or a `${NAME}` in it, is missing."""
    findings = Findings()
    tree = read_tree(*folder.config, findings)
    section = tree.get("database") if isinstance(tree, MappingNode) else None
    if section is None:
        return _absolute("sqlite:///nurture.db", folder.root)
    full = expand(section, _look_up(section, folder.root, environ, findings))
    value = None if findings.problems else DatabaseUrl().read(full, Context(findings))
    if value is None:
        raise ProjectProblems(findings.problems or [Problem(Mark(folder.config[0]), "N501", "'database' is missing")])
    return _absolute(value, folder.root)

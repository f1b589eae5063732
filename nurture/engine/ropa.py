"""A draft of the record of processing activities (GDPR Art. 30(1); trust C29), from what the project says of itself.

A person completes it: the lines marked with `…` are not in config.yaml.
"""

from __future__ import annotations

from nurture.campaign.project import Project
from nurture.engine.exporting import Processing

_BASIS = {
    "consent": "consent, Art. 6(1)(a)",
    "soft_opt_in": "existing customer relation (ePrivacy Art. 13(2)), Art. 6(1)(f)",
    "legitimate_interest": "legitimate interest, Art. 6(1)(f)",
    "service": "contract, Art. 6(1)(b)",
}
_KIND = {
    "pending": "Sign-ups nobody confirmed",
    "leads": "Everything about people of whom nothing was heard",
    "events": "What people did: visits, orders, clicks",
    "decisions": "Why something was decided about a person",
    "messages": "Texts of mails that were sent",
    "attempts": "Answers of mail servers",
    "visits": "Network address and browser in the proof of consent",
    "imports": "How far imports of files had come",
    "requests": "Requests about personal data, without names",
}
_MEASURES = (
    "Addresses of people who left are kept only as keyed hashes.",
    "Links in mails are signed, hold no address and are bound to one purpose.",
    "The proof of consent is chained by hashes, so that a change shows.",
    "API keys are stored as hashes, have scopes and can be revoked at once.",
)


def record(project: Project, processing: Processing) -> str:
    """The draft as Markdown."""
    purposes = [
        f"| {_cell(next(iter(topic.title.values()), topic.name))} | {_BASIS.get(topic.basis, topic.basis)} |"
        + f" {_cell(topic.assessment or (f'like: {topic.similar_to}' if topic.similar_to else ''))} |"
        for topic in project.topics.values()
    ]
    if project.tracking == "hygiene_only":
        purposes.append("| The day of the last opening | legitimate interest, Art. 6(1)(f) | people may object |")
    elif project.tracking:
        purposes.append("| Counting clicks and openings, of those who agreed | consent, Art. 6(1)(a) | |")
    if project.scores:
        names = ", ".join(project.scores)
        purposes.append(f"| Scores ({_cell(names)}) | legitimate interest, Art. 6(1)(f) | people may object |")
    fields = ", ".join(["e-mail address", "name", "phone", "country", "language", "time zone", *project.attributes])
    kept = [f"| {text} | {processing.retention.get(kind, 'no limit set')} |" for kind, text in _KIND.items()]
    lines = [
        f"# Record of processing: lead nurturing of {project.name}",
        "",
        "Draft from config.yaml; complete the lines with `…`.",
        "",
        "## Controller",
        "",
        processing.controller or project.sender.name or "…",
        "",
        f"Postal address: {project.sender.postal_address or '…'}",
        "",
        f"Contact: {processing.contact_of(project) or '…'}",
        "",
        f"Privacy notice: {processing.notice_url or '…'}",
        "",
        "Data protection officer: …",
        "",
        "## Purposes",
        "",
        "| purpose | legal basis | assessment |",
        "|---|---|---|",
        *purposes,
        "",
        "## Whose data, and which",
        "",
        "People who signed up, bought or asked for something, and contacts at companies.",
        "",
        f"Fields: {fields}.",
        "",
        f"Events: {', '.join(project.events) or 'none declared'}.",
        "",
        "## Recipients",
        "",
        *([f"- {who}" for who in processing.recipients] or ["- none in config.yaml"]),
        "",
        "Transfers outside the EEA: …",
        "",
        "## How long it is kept",
        "",
        "| data | kept |",
        "|---|---|",
        *kept,
        "| Proof of consent | as long as mails are sent, and the limitation period after |",
        "| Keyed hashes of addresses that left | without limit, so that nobody is written to again |",
        "",
        "## Measures",
        "",
        *[f"- {measure}" for measure in (*processing.measures, *_MEASURES)],
    ]
    if project.scores:
        lines += [
            "",
            "## Is an impact assessment needed? (Art. 35)",
            "",
            "Scores are profiling. An assessment is needed where they decide about people with legal or similar",
            "effect, where they are fed with special categories of data, or combine sources on a large scale.",
            "Written answer: …",
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

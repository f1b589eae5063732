"""A JSON Schema that knows a project: an editor offers the stages, events, topics and attributes it declares.

The names are given as examples and as keys, never as the only ones allowed: whether a name is declared is for `check`
to say, by the config.yaml of that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nurture.campaign.declared import account_fields, lead_fields
from nurture.campaign.project import Project
from nurture.campaign.reading.names import declared_names
from nurture.campaign.reading.schema import Schema


def knowing(schema: Schema, project: Project, files: Mapping[str, Sequence[str]]) -> Schema:
    """The schema with the project's names in place of the example ones. `files` are the names of `campaign`s and
    `template`s, which files have and no section declares."""
    names = {**declared_names(project), **files, "mail": ["any", *files.get("template", ())]}
    tested: dict[str, Iterable[str]] = {
        "lead-tests": lead_fields(project),
        "account-tests": account_fields(project),
        "score-tests": project.scores,
    }
    defs = dict(schema.get("$defs", {}))
    for kind, known in names.items():
        name = kind.replace(" ", "-")
        if name in defs and known:
            defs[name] = {**defs[name], "examples": list(known)}
    for name, fields in tested.items():
        if name in defs:
            defs[name] = {**defs[name], "properties": {field: {"$ref": "#/$defs/test"} for field in fields}}
    return {**schema, **({"$defs": defs} if defs else {})}

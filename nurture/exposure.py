"""Secrets that others on this machine could read, and settings shown without their secrets (trust X17)."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nurture.campaign.source import Findings, Node, Scalar, Sequence, placeholders, read_tree
from nurture.campaign.source import Mapping as MappingNode
from nurture.folder import Folder

MASK = "********"
_OTHERS = stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH
_SECRET_KEYS = frozenset({"secrets", "password", "key", "providers", "token"})
_SECRETS: Mapping[str, frozenset[str]] = {  # of config.yaml: what stands there, or under these keys of it
    "secrets": frozenset(),
    "smtp": frozenset({"password"}),
    "returns": frozenset({"password"}),
    "dkim": frozenset({"key"}),
    "providers": frozenset({"brevo", "mailgun", "postmark", "sendgrid"}),  # those of `ses` are names, no secrets
}
_ADDRESSES = frozenset({"database", "url"})  # they may hold a password, or a token in their path


@dataclass(frozen=True, slots=True)
class Exposed:
    """A file that others may read, and what of value is in it."""

    path: Path
    what: str

    @property
    def text(self) -> str:
        return f"other users of this machine can read {self.path.name}, {self.what}"

    @property
    def hint(self) -> str:
        return f"chmod 600 {self.path}"


def exposed(folder: Folder, database: Path | None = None) -> list[Exposed]:
    """Files with secrets or people's data that group or others may read: those config.yaml takes in, itself where a
    secret is written out in it, the database."""
    tree = _tree(folder)
    names = dict.fromkeys(name for name, _ in placeholders(tree)) if tree is not None else {}
    found = [Exposed(folder.root / n[5:], "a secret of config.yaml") for n in names if n.startswith("file:")]
    if written_out(folder):
        found.append(Exposed(folder.root / folder.config[0], "where a secret is written out"))
    if database is not None:
        found.append(Exposed(database, "which holds people's addresses"))
    return [one for one in found if _open_to_others(one.path)]


def written_out(folder: Folder) -> bool:
    """Whether a secret stands in config.yaml itself, not a reference to one."""
    tree = _tree(folder)
    return isinstance(tree, MappingNode) and any(
        bool(scalar.text) and "${" not in scalar.text
        for key, value in tree.entries
        for scalar in _scalars(value, _SECRETS.get(key.text))
    )


def shown(folder: Folder) -> dict[str, Any]:
    """config.yaml as it is written, with a mask for every secret; a `${NAME}` stands as it is, never what it is for."""
    tree = _tree(folder)
    value = _value(tree, "", False) if tree is not None else {}
    return value if isinstance(value, dict) else {}


def references(folder: Folder, environ: Mapping[str, str]) -> dict[str, bool]:
    """Every `${…}` of config.yaml, and whether there is anything behind it."""
    tree = _tree(folder)
    names = [name for name, _ in placeholders(tree)] if tree is not None else []
    there = {n: (folder.root / n[5:]).is_file() if n.startswith("file:") else n in environ for n in names}
    return dict(sorted(there.items()))


def _tree(folder: Folder) -> Node | None:
    return read_tree(*folder.config, Findings())


def _value(node: Node, key: str, secret: bool) -> Any:
    match node:
        case MappingNode(entries=entries):
            return {name.text: _value(child, name.text, secret or name.text in _SECRET_KEYS) for name, child in entries}
        case Sequence(items=items):
            return [_value(item, key, secret) for item in items]
        case Scalar(text=text) if "${" in text:
            return text
        case Scalar(text=text) if secret and not node.empty:
            return MASK
        case Scalar(text=text) if key in _ADDRESSES:
            return _without_password(text)
        case Scalar(text=text):
            return text
    return None


def _without_password(address: str) -> str:
    """`postgresql://user:********@host/name`, and the host alone of a webhook, whose path may be its key."""
    scheme, found, rest = address.partition("://")
    if not found or scheme == "sqlite":
        return address
    who, at, where = rest.rpartition("@")
    if scheme.startswith("http"):
        host, slash, _ = where.partition("/")
        return f"{scheme}://{host}{'/' + MASK if slash else ''}"
    user, colon, _ = who.partition(":")
    return f"{scheme}://{user}{':' + MASK if colon else ''}{at}{where.partition('?')[0]}"


def _scalars(node: Node, names: frozenset[str] | None) -> Iterator[Scalar]:
    """What stands under these keys, at any depth; for an empty set what stands there itself, for None nothing."""
    match node:
        case Scalar() if names is not None and not names:
            yield node
        case Sequence(items=items) if names is not None:
            for item in items:
                yield from _scalars(item, names)
        case MappingNode(entries=entries) if names:
            for key, value in entries:
                yield from _scalars(value, frozenset() if key.text in names else names)


def _open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False

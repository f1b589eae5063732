"""A mail and its layout made one: `extends`, `block` and `include` are resolved once per version, before rendering.

Only so can styles of the layout be written onto elements of the mail. What cannot be resolved beforehand (an `include`
whose name is computed, `import` of macros) is left to Jinja.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from nurture.mail.markup import Piece, split
from nurture.mail.template import TemplateBroken, front_matter

_EXTENDS = re.compile(r"extends\s+(?:\"([^\"]+)\"|'([^']+)')")
_INCLUDE = re.compile(r"include\s+(?:\"([^\"]+)\"|'([^']+)')")
_BLOCK = re.compile(r"block\s+([A-Za-z_]\w*)(?:\s+scoped)?(?:\s+required)?")
_SUPER = re.compile(r"super\(\s*\)")
_DEEPEST = 20
_MOST = 500  # files put into one another; twenty that each include the next twice would be a million

Blocks = dict[str, list[list[Piece]]]  # name → its bodies, the mail's own first, then the layouts'


def flatten(path: str, files: Mapping[str, str]) -> str:
    """The source of `path` with its layouts and parts in it. Raises TemplateBroken for a circle, an unclosed block."""
    return _flat(path, files, {}, (), Counter())


def pieces_of(path: str, files: Mapping[str, str]) -> list[Piece]:
    return split(front_matter(files[path], path)[1])


def _flat(path: str, files: Mapping[str, str], blocks: Blocks, above: tuple[str, ...], used: Counter[str]) -> str:
    used[path] += 1
    if used.total() > _MOST:
        raise TemplateBroken(f"more than {_MOST} files are put into one another", above[0])
    if path in above or len(above) > _DEEPEST:
        raise TemplateBroken(f"'{path}' extends or includes itself", above[-1])
    if path not in files:
        raise TemplateBroken(f"'{path}' is not there", above[-1] if above else path)
    pieces = pieces_of(path, files)
    parent = next((found for p in pieces if p.kind == "statement" and (found := _EXTENDS.fullmatch(p.code))), None)
    if parent is None:
        return _joined(pieces, path, files, blocks, (*above, path), used)
    merged = {name: list(bodies) for name, bodies in blocks.items()}
    for name, body in _own_blocks(pieces, path).items():
        merged.setdefault(name, []).append(body)
    return _definitions(pieces) + _flat(parent[1] or parent[2], files, merged, (*above, path), used)


def _joined(
    pieces: list[Piece], path: str, files: Mapping[str, str], blocks: Blocks, above: tuple[str, ...], used: Counter[str]
) -> str:
    """The pieces as source, blocks replaced by the bodies that win and includes by their files."""
    out: list[str] = []
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece.kind == "comment":
            continue
        if piece.kind == "statement" and (include := _INCLUDE.fullmatch(piece.code)):
            out.append(_flat(include[1] or include[2], files, {}, above, used).strip("\n"))
        elif piece.kind == "statement" and (block := _BLOCK.fullmatch(piece.code)):
            end = _end_of_block(pieces, at, path)
            bodies = [*blocks.get(block[1], []), pieces[at:end]]
            out.append(_body(bodies, path, files, blocks, above, used))
            at = end + 1
        else:
            out.append(piece.text)
    return "".join(out)


def _body(
    bodies: list[list[Piece]],
    path: str,
    files: Mapping[str, str],
    blocks: Blocks,
    above: tuple[str, ...],
    used: Counter[str],
) -> str:
    """The first body; where it prints `super()`, the next one stands."""
    first, rest = bodies[0], bodies[1:]
    if rest and any(p.kind == "print" and _SUPER.fullmatch(p.code) for p in first):
        parent = _body(rest, path, files, blocks, above, used)
        first = [Piece("raw", parent, p.start) if p.kind == "print" and _SUPER.fullmatch(p.code) else p for p in first]
    return _joined(first, path, files, blocks, above, used)


def _own_blocks(pieces: list[Piece], path: str) -> dict[str, list[Piece]]:
    """Every block a mail defines, those inside blocks too."""
    found: dict[str, list[Piece]] = {}
    for at, piece in enumerate(pieces):
        if piece.kind == "statement" and (block := _BLOCK.fullmatch(piece.code)):
            found[block[1]] = pieces[at + 1 : _end_of_block(pieces, at + 1, path)]
    return found


def _definitions(pieces: list[Piece]) -> str:
    """What a mail says outside its blocks and still counts in a layout: `set`, `import`, `from`, macros."""
    out, depth, macro = [], 0, 0
    for piece in pieces:
        word = piece.code.split(None, 1)[0] if piece.kind == "statement" and piece.code else ""
        depth += (word == "block") - (word == "endblock")
        macro += word == "macro"
        if depth == 0 and word != "endblock" and (macro or word in {"set", "import", "from"}):
            out.append(piece.text)
        macro -= word == "endmacro"
    return "".join(out)


def _end_of_block(pieces: list[Piece], at: int, path: str) -> int:
    depth = 1
    for index in range(at, len(pieces)):
        word = pieces[index].code.split(None, 1)[:1] if pieces[index].kind == "statement" else []
        depth += (word == ["block"]) - (word == ["endblock"])
        if depth == 0:
            return index
    raise TemplateBroken("a block is opened and not closed with endblock", path)

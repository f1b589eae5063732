"""Pictures for mails that need no picture file: cross-stitch drawn as HTML tables.

A mail of the example shop loads nothing from anywhere, and several mail programs show neither `data:` URIs nor SVG.
Coloured table cells are shown by all of them. A picture is a block of letters, one letter a stitch; stitches of one
colour that stand side by side become one cell. `python -m nurture.demo.drawing FOLDER` writes every picture anew.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

THREADS: Mapping[str, str] = {
    "g": "#2f5d50",  # leaf
    "l": "#7fa98f",  # young leaf
    "r": "#b3382c",  # embroidery red
    "p": "#d98c86",  # rose
    "y": "#c9973b",  # gold
    "o": "#e3cda4",  # straw
    "b": "#9a5b2b",  # tea
    "k": "#4a443b",  # ink, soft enough to show on a dark ground too
    "w": "#fffaf0",  # porcelain
    "s": "#bdb29d",  # steam
}
BARE = "."  # a stitch left out: the ground shows through


def as_table(picture: str, stitch_px: int) -> str:
    """The picture as one HTML table, `stitch_px` pixels a stitch, hidden from screen readers.

    Raises ValueError for rows of unequal length or a letter that is no thread.
    """
    rows = picture.split()
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise ValueError("all rows of a picture have the same number of stitches")
    ruler = f'<td width="{stitch_px}"></td>' * width
    body = "\n".join(f'<tr height="{stitch_px}">{_cells(row)}</tr>' for row in rows)
    style = f"width:{width * stitch_px}px;table-layout:fixed;border-collapse:collapse;font-size:0;line-height:0"
    return (
        f'<table role="presentation" aria-hidden="true" class="art" align="center" width="{width * stitch_px}" '
        f'cellpadding="0" cellspacing="0" border="0" style="{style}">\n'
        f'<tr height="0">{ruler}</tr>\n{body}\n</table>\n'
    )


def _cells(row: str) -> str:
    return "".join(_cell(thread, len(list(run))) for thread, run in groupby(row))


def _cell(thread: str, length: int) -> str:
    if thread != BARE and thread not in THREADS:
        raise ValueError(f"'{thread}' is no thread; the threads are {', '.join(THREADS)}")
    span = f' colspan="{length}"' if length > 1 else ""
    colour = f' bgcolor="{THREADS[thread]}"' if thread != BARE else ""
    return f"<td{span}{colour}></td>"


PICTURES: Mapping[str, tuple[int, str]] = {
    "band": (
        4,
        """
        r....r....r....r....r....r....r....r....r
        .r..rrr..r.r..rrr..r.r..rrr..r.r..rrr..r.
        ..rrryrrr...rrryrrr...rrryrrr...rrryrrr..
        .r..rrr..r.r..rrr..r.r..rrr..r.r..rrr..r.
        r....r....r....r....r....r....r....r....r
        """,
    ),
    "cup": (
        6,
        """
        ........s...s.........
        .......s...s..........
        ........s...s.........
        .........s...s........
        ........s...s.........
        ......................
        ..rrrrrrrrrrrrrrrr....
        ..rbbbbbbbbbbbbbbr....
        ..rwwwwwwwwwwwwwwrrrr.
        ..rwgwwgwwgwwgwwgr..r.
        ..rgrgggrggrgggrgr..r.
        ..rwgwwgwwgwwgwwgr..r.
        ..rwwwwwwwwwwwwwwrrrr.
        ...rwwwwwwwwwwwwr.....
        ....rwwwwwwwwwwr......
        .....rrrrrrrrrr.......
        ..yyyyyyyyyyyyyyyy....
        ....yyyyyyyyyyyy......
        """,
    ),
    "basket": (
        6,
        """
        .......kkkkkkkk.......
        .....kk........kk.....
        ....k....gg......k....
        ...k...gglg.rrr...k...
        ...k..gllgg.rwr...k...
        ..k...gggg..rrr.yy.k..
        ..k.oooog.oorrr.yy.k..
        .yyyyyyyyyyyyyyyyyyyy.
        .bobobobobobobobobobo.
        .obobobobobobobobobob.
        .bobobobobobobobobobo.
        ..bobobobobobobobobo..
        ..obobobobobobobobob..
        ..bobobobobobobobobo..
        ...bobobobobobobobo...
        ...yyyyyyyyyyyyyyyy...
        """,
    ),
    "leaf": (
        6,
        """
        ...............gg.....
        ............ggggg.....
        ..........gglllgg.....
        ........ggllllgg......
        .......gllllglg.......
        ......gllllglg........
        .gg...glllglgg........
        .ggg..gllgllg....gg...
        .glgg.glgllg...gggg...
        .gllg.ggllg..gglllg...
        ..gllg.ggg.gglllgg....
        ..ggllg.g.gllllgg.....
        ...gglggg.glllgg......
        .....gg.gggggg........
        ........g.............
        ........g.............
        .......gg.............
        .......g..............
        """,
    ),
    "parcel": (
        6,
        """
        ......rrr....rrr......
        .....r...r..r...r.....
        .....r...rrrr...r.....
        ......rr..rr..rr......
        ........rrrrrr........
        .bbbbbbbbbrrbbbbbbbbb.
        .boooooooorroooooooob.
        .bbbbbbbbbrrbbbbbbbbb.
        ..booooooorrooooooob..
        ..booooooorrooooooob..
        ..brrrrrrrrrrrrrrrrb..
        ..brrrrrrrrrrrrrrrrb..
        ..booooooorrooooooob..
        ..bogogooorrooooooob..
        ..bogggooorrooooooob..
        ..booooooorrooooooob..
        ..bbbbbbbbbbbbbbbbbb..
        """,
    ),
    "cake": (
        6,
        """
        ......y...y...y.......
        ......y...y...y.......
        ......r...g...r.......
        ......r...g...r.......
        ......r...g...r.......
        ....pppppppppppppp....
        ....pwppwppwppwppw....
        ....wwwwwwwwwwwwww....
        ..rrrrrrrrrrrrrrrrrr..
        ..rwrwrwrwrwrwrwrwrr..
        ..oooooooooooooooooo..
        ..obbbbbbbbbbbbbbbbo..
        ..oooooooooooooooooo..
        .yyyyyyyyyyyyyyyyyyyy.
        ...yyyyyyyyyyyyyyyy...
        """,
    ),
    "tag": (
        6,
        """
        ...........k..........
        ..........k.k.........
        .........k...k........
        .......rrrkrrr........
        ......rrrrkrrrr.......
        .....rrrrwwwrrrr......
        .....rrrrwrwrrrr......
        .....rrrrwwwrrrr......
        .....rrrrrrrrrrr......
        .....rwwrrrrrwrr......
        .....rwwrrrrwrrr......
        .....rrrrrrwrrrr......
        .....rrrrrwrrrrr......
        .....rrrrwrrwwrr......
        .....rrrwrrrwwrr......
        .....rrrrrrrrrrr......
        .....ooooooooooo......
        """,
    ),
    "book": (
        6,
        """
        ......................
        ..kkkkkkkk..kkkkkkkk..
        .kwwwwwwwwkkwwwwwwwwk.
        .kwwwwwwwwkkwggwwwwwk.
        .kwsssssswkkwglgwwwwk.
        .kwwwwwwwwkkwwglgwwwk.
        .kwssssswwkkwwwglgwwk.
        .kwwwwwwwwkkwwwwggwwk.
        .kwsssssswkkwwwwwwgwk.
        .kwwwwwwwwkkwwwwwwwwk.
        .kwsssswwwkkwsssssswk.
        .kwwwwwwwwkkwwwwwwwwk.
        .kwwwwwwwwkkwssssswwk.
        .kkkkkkkkwkkwkkkkkkkk.
        .rrrrrrrrkkkkrrrrrrrr.
        ..rrrrrrrr..rrrrrrrr..
        """,
    ),
    "pot": (
        6,
        """
        ..........yy..........
        .........rrrr.........
        .......gggggggg.......
        .....gggggggggggg.....
        .gg..gllgggggggggkkk..
        .gg.ggllggggggggggg.k.
        .ggggglgggrrggggggg.k.
        ..gggglggrrrrgggggg.k.
        ..ggggggrryyrrggggg.k.
        ...ggggggrrrrgggggg.k.
        ....ggggggrrggggggkk..
        .....gggggggggggggg...
        ......gggggggggggg....
        .......gggggggggg.....
        ......yyyyyyyyyyyy....
        """,
    ),
    "letter": (
        6,
        """
        ......................
        .kkkkkkkkkkkkkkkkkkkk.
        .kkwwwwwwwwwwwwwwwwkk.
        .kwkkwwwwwwwwwwwwkkwk.
        .kwwwkkwwwwwwwwkkwwwk.
        .kwwwwwkkwwwwkkwwwwwk.
        .kwwwwwwwkrrkwwwwwwwk.
        .kwwwwwwwrrrrwwwwwwwk.
        .kwwwwwkwrrrrwkwwwwwk.
        .kwwwkkwwwrrwwwkkwwwk.
        .kwkkwwwwwwwwwwwwkkwk.
        .kkwwwwwwwwwwwwwwwwkk.
        .kkkkkkkkkkkkkkkkkkkk.
        """,
    ),
}


def write_all(folder: Path) -> None:
    """Write every picture to `folder`, one file each, over what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (stitch_px, picture) in PICTURES.items():
        (folder / f"{name}.html").write_text(as_table(picture, stitch_px), encoding="utf-8")


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))

"""The demo's own copy of the example project, with ports that are free."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nurture.errors import Bug, UserError

FOLDER = ".demo"
SIGNS_WITH = "secret"  # a file
ENDPOINT, MAIL, INBOX = 8025, 2525, 8026  # ports, where they are free
_PARTS = ("config.yaml", "segments.yaml", "campaigns", "templates", "mappings")


@dataclass(frozen=True)
class Setting:
    """Where the demo plays."""

    root: Path
    port: int
    mail_port: int
    inbox_port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def inbox_url(self) -> str:
        return f"http://127.0.0.1:{self.inbox_port}"


def set_up(project: Path, ports: tuple[int, int, int] = (ENDPOINT, MAIL, INBOX)) -> Setting:
    """A fresh copy of the example project under `.demo/`; what an earlier demo left there is gone. Ports that are
    taken are replaced, 0 is any. Raises UserError where there is no project, or a `.demo` that no demo made."""
    if not (project / "config.yaml").is_file():
        raise UserError(f"{project} has no config.yaml", hint="run the demo in the folder of the example project")
    root = project / FOLDER
    if root.exists() and not (root / "config.yaml").is_file():
        raise UserError(f"{root} is in the way, and no demo made it", hint="move it elsewhere")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name in _PARTS:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        elif source.is_file():
            shutil.copy(source, root / name)
    made = Setting(root, *_free(ports))
    _write_secret(root / SIGNS_WITH)
    _write_config(root / "config.yaml", made)
    return made


def _write_secret(path: Path) -> None:
    """A secret of its own for every run, which only this user can read."""
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(32), "utf-8")


def _write_config(path: Path, setting: Setting) -> None:
    """Put the ports in that are really used, and the secret as a file, so that every command works with
    `--project .demo`. People come from networks of their own, as behind a proxy."""
    text = path.read_text("utf-8").replace("${NURTURE_SECRET}", f"${{file:{SIGNS_WITH}}}")
    text, urls = re.subn(r"(?m)^base_url: \S+", f"base_url: {setting.base_url}", text)
    mail = f"smtp: {{host: 127.0.0.1, port: {setting.mail_port},"
    text, servers = re.subn(r"(?m)^smtp: \{host: localhost, port: \d+,", mail, text)
    if urls != 1 or servers != 1:
        raise Bug("the example's config.yaml no longer has the lines that the demo changes")
    path.write_text(f"{text}\ntrusted_proxies: [127.0.0.1]\n", "utf-8")


def _free(ports: tuple[int, int, int]) -> tuple[int, int, int]:
    """These ports, or free ones instead of those that are taken. All are held until each is known."""
    with ExitStack() as held:
        endpoint, mail, inbox = (held.enter_context(_bound(port)) for port in ports)
        return endpoint.getsockname()[1], mail.getsockname()[1], inbox.getsockname()[1]


def _bound(port: int) -> socket.socket:
    for wanted in (port, 0):
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", wanted))
        except OSError:
            taken.close()
        else:
            return taken
    raise UserError("this machine has no free port")

"""A Postfix of one's own: its own configuration, queue, port and mailbox, gone afterwards."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.peers.ground import Peer, free_port, mails_in, program

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
mail_owner = postfix
setgid_group = postdrop
command_directory = {commands}
daemon_directory = {daemons}
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = inbox.test
virtual_mailbox_base = {home}
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
virtual_minimum_uid = 1
message_size_limit = 20480000
smtputf8_enable = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
default_transport = error:nothing leaves this test
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Peer):
    """Listens on `port` while entered; `inbox()` is what it delivered to anyone @inbox.test. `more` are settings of
    main.cf that come last and win; `checks` is its table of header_checks (regexp_table(5))."""

    name = "postfix"

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        port: int = 0,
        more: Mapping[str, str] | None = None,
        checks: str = "",
    ) -> None:
        self._certificate, self._key, self._more, self._checks = certificate, key, more or {}, checks
        self.port = port

    def start(self) -> None:
        self.port = self.port or free_port()
        nobody = pwd.getpwnam("nobody")
        for name in ("etc", "queue", "data", "inbox"):
            (self.home / name).mkdir()
        shutil.chown(self.home / "data", "postfix", "postfix")
        shutil.chown(self.home / "inbox", nobody.pw_uid, nobody.pw_gid)
        for source, name in ((self._certificate, "certificate.pem"), (self._key, "key.pem")):
            shutil.copy(source, self.home / name)
        (self.home / "key.pem").chmod(0o600)
        values = {
            "home": self.home,
            "commands": _default("command_directory"),
            "daemons": _default("daemon_directory"),
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "certificate": self.home / "certificate.pem",
            "key": self.home / "key.pem",
            "port": self.port,
        }
        more = dict(self._more)
        if self._checks:
            (self.home / "etc" / "header_checks").write_text(self._checks)
            more["header_checks"] = f"regexp:{self.home}/etc/header_checks"
        settings = MAIN.format(**values) + "".join(f"{name} = {value}\n" for name, value in more.items())
        (self.home / "etc" / "main.cf").write_text(settings)
        (self.home / "etc" / "master.cf").write_text(MASTER.format(**values))
        self._postfix("start")
        self.await_port(self.port)

    def stop(self) -> None:
        self._postfix("abort", check=False)

    def inbox(self, expected: int, seconds: float = 20.0) -> list[bytes]:
        """The messages delivered, once there are as many as expected or the time is over."""
        return mails_in(self.home / "inbox", expected, seconds)

    def _postfix(self, command: str, *, check: bool = True) -> None:
        run = subprocess.run(
            [f"{_default('command_directory')}/postfix", "-c", str(self.home / "etc"), command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and run.returncode != 0:
            raise RuntimeError(f"postfix {command}: {run.stdout}{run.stderr}{self.log()}")


def _default(name: str) -> str:
    command = [program("postconf"), "-d", "-h", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

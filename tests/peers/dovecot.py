"""A Dovecot of one's own: LMTP in, IMAP out, Sieve in between, one mailbox for everybody."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from pathlib import Path

from tests.peers.ground import Peer, free_port, mails_in, program

USER, PASSWORD = "returns", "a-password-of-this-test-alone"
CONFIG = """
protocols = imap lmtp
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
listen = 127.0.0.1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
ssl = {ssl}
ssl_cert = <{home}/certificate.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_username_format = %Ln
mail_location = maildir:{home}/mail/%n/Maildir
mail_home = {home}/mail/%n
mail_plugins =
recipient_delimiter = +
postmaster_address = postmaster@dovecot.test
hostname = dovecot.test
submission_host = 127.0.0.1:{submission}
lmtp_save_to_detail_mailbox = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%n allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{home}/sieve/%n.sieve
  sieve_vacation_min_period = 0
}}
"""


class Dovecot(Peer):
    """Takes mail for anybody by LMTP on `lmtp`; everybody's mailbox is read by IMAP on `imaps`, with `PASSWORD`.
    `submission` is the port of the server that Sieve's own mails go to; `vacations` are the texts people answer with
    while they are away, by local part."""

    name = "dovecot"

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        submission: int = 0,
        vacations: dict[str, str] | None = None,
        tls: bool = True,
    ) -> None:
        self._certificate, self._key, self._tls = certificate, key, tls
        self._submission, self._vacations = submission, vacations or {}
        self.imap = self.imaps = self.lmtp = 0
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.imap, self.imaps, self.lmtp = free_port(), free_port(), free_port()
        nobody = pwd.getpwnam("nobody")
        for name in ("run", "state", "mail", "sieve"):
            (self.home / name).mkdir()
            shutil.chown(self.home / name, nobody.pw_uid, nobody.pw_gid)
        shutil.chown(self.home, nobody.pw_uid, nobody.pw_gid)
        for source, name in ((self._certificate, "certificate.pem"), (self._key, "key.pem")):
            shutil.copy(source, self.home / name)
        for who, text in self._vacations.items():
            (self.home / "sieve" / f"{who}.sieve").write_text(f'require "vacation";\nvacation :days 1 "{text}";\n')
        values = {
            "home": self.home,
            "password": PASSWORD,
            "uid": nobody.pw_uid,
            "gid": nobody.pw_gid,
            "imap": self.imap,
            "imaps": self.imaps,
            "lmtp": self.lmtp,
            "submission": self._submission,
            "ssl": "yes" if self._tls else "no",
        }
        (self.home / "dovecot.conf").write_text(CONFIG.format(**values))
        command = [program("dovecot"), "-F", "-c", str(self.home / "dovecot.conf")]
        with (self.home / "out").open("wb") as out:
            self._running = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        for port in (self.lmtp, self.imap):
            self.await_port(port)

    def stop(self) -> None:
        if self._running is not None:
            self._running.terminate()
            self._running.wait(10)

    def log(self) -> str:
        return super().log() + (self.home / "out").read_text()

    def inbox(self, who: str, expected: int, seconds: float = 20.0) -> list[bytes]:
        """The new messages of somebody, once there are as many as expected or the time is over."""
        return mails_in(self.home / "mail" / who / "Maildir", expected, seconds)

"""A mailbox elsewhere as the box that returned mail arrives in, read by IMAP (RFC 3501; trust E25).

What is unseen is new. A mail is fetched without being marked as seen; only after what it says is committed is it
deleted, or marked as seen where a person may want to read it. So a worker that is killed in between reads it once more.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from nurture.errors import UserError

PATIENCE = 30.0  # seconds a server may take for an answer


@dataclass(frozen=True)
class Imap:
    """`tls`: `implicit` on a port of its own, `required` by STARTTLS; both verify the server's name. `none` is for this
    machine itself."""

    host: str
    username: str
    password: str = field(repr=False)
    port: int = 993
    tls: Literal["implicit", "required", "none"] = "implicit"
    mailbox: str = "INBOX"
    ca_file: str | None = None
    every: float = 60.0  # seconds between two looks; each signs in anew, and providers count that

    def check(self) -> None:
        """Nothing: a server that is away must keep no worker from sending, and each look tells what is wrong."""

    @contextmanager
    def opened(self) -> Iterator[OpenedMailbox]:
        """Signed in, the mailbox selected. Raises UserError with what went wrong, which names no secret."""
        try:
            client = self._connect()
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._trouble("cannot be reached", error) from error
        try:
            self._sign_in(client)
            _, can = client.capability()  # more than before the sign-in
            yield OpenedMailbox(client, uidplus=b"UIDPLUS" in b" ".join(can).upper().split())
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._trouble("broke off", error) from error
        finally:
            with suppress(OSError, imaplib.IMAP4.error):
                client.logout()

    def _connect(self) -> imaplib.IMAP4:
        trust = ssl.create_default_context(cafile=self.ca_file)
        if self.tls == "implicit":
            return imaplib.IMAP4_SSL(self.host, self.port, ssl_context=trust, timeout=PATIENCE)
        client = imaplib.IMAP4(self.host, self.port, timeout=PATIENCE)
        if self.tls == "required":
            try:
                client.starttls(trust)
            except BaseException:
                with suppress(OSError):
                    client.shutdown()
                raise
        return client

    def _sign_in(self, client: imaplib.IMAP4) -> None:
        try:
            if "AUTH=PLAIN" in client.capabilities:
                client.authenticate("PLAIN", lambda _: f"\0{self.username}\0{self.password}".encode())
            else:
                client.login(self.username, self.password)
        except (imaplib.IMAP4.error, UnicodeEncodeError) as error:
            raise self._trouble(f"does not let '{self.username}' in", error) from None
        answer, said = client.select(_quoted(self.mailbox))
        if answer != "OK":
            raise UserError(f"the mailbox '{self.mailbox}' at {self.host} cannot be opened: {_words(said)}")

    def _trouble(self, what: str, error: Exception) -> UserError:
        why = _words(error.args) or type(error).__name__
        if self.password:
            why = why.replace(self.password, "…")
        return UserError(f"the mail server {self.host}:{self.port} {what}: {why}", hint="see 'returns' in config.yaml")


class OpenedMailbox:
    """A mailbox while it is open. Names are UIDs, which stay the same from one connection to the next."""

    def __init__(self, client: imaplib.IMAP4, *, uidplus: bool) -> None:
        self._client, self._uidplus = client, uidplus

    def new(self, limit: int) -> list[str]:
        """The names of mails nobody has looked at, oldest first."""
        [found] = self._ask("SEARCH", "UNSEEN", "UNDELETED")
        uids = found.decode("ascii").split() if isinstance(found, bytes) else []
        return sorted(uids, key=int)[:limit]

    def fetch(self, name: str, longest: int) -> bytes | None:
        """The mail's first octets, which marks nothing; None where it is gone."""
        for part in self._ask("FETCH", name, f"(BODY.PEEK[]<0.{longest}>)"):
            if isinstance(part, tuple):
                return bytes(part[1])
        return None

    def put_away(self, name: str, *, keep: bool) -> None:
        """Delete it, or mark it as seen."""
        if keep:
            self._ask("STORE", name, "+FLAGS.SILENT", r"(\Seen)")
            return
        self._ask("STORE", name, "+FLAGS.SILENT", r"(\Deleted)")
        if self._uidplus:  # RFC 4315: this one, not what else a person has marked
            self._ask("EXPUNGE", name)
        else:
            self._client.expunge()

    def _ask(self, command: str, *words: str) -> list[bytes | tuple[bytes, bytes] | None]:
        answer, said = self._client.uid(command, *words)
        if answer != "OK":
            raise imaplib.IMAP4.error(f"{command}: {_words(said)}")
        return list(said)


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(said: object) -> str:
    """What a server said, on one line."""
    parts = said if isinstance(said, (list, tuple)) else [said]
    texts = (part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts if part)
    return " ".join(" ".join(texts).split())[:300]

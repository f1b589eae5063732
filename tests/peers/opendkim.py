"""Debian's opendkim as a judge of signatures, from the command line."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from nurture.delivery.dkim import SigningKey
from tests.peers.ground import program


def opendkim(data: bytes, key: SigningKey, folder: Path) -> bool:
    """Whether it finds the signature of this mail good. Raises where it does not come to a judgement."""
    (folder / "mail.eml").write_bytes(data)
    (folder / "keys").write_text(f"{key.selector}._domainkey.{key.domain} {key.record()}\n")
    (folder / "conf").write_text(
        f"Mode v\nTestPublicKeys {folder / 'keys'}\nSocket local:{folder / 's'}\nUserID {getpass.getuser()}\n"
    )
    command = [program("opendkim"), "-x", str(folder / "conf"), "-t", str(folder / "mail.eml")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = ran.stdout + ran.stderr
    if f"verification (s={key.selector}, d={key.domain}" in said and "succeeded" in said:
        return True
    if "failed: signature verification failed" in said:
        return False
    raise AssertionError(said)

"""A checkpoint of the ledger under somebody else's clock: stamped and verified with OpenSSL, as the how-to says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.commands import Shop

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]
AUTHORITY = """\
[tsa]
serial = serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4.1
accuracy = secs:1
ess_cert_id_alg = sha256
signer_cert = tsa.pem
signer_key = tsa.key
certs = root.pem
"""


def openssl(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *command.split()], cwd=folder, capture_output=True, text=True, check=False, timeout=20
    )


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A folder with a root certificate, and the key and certificate of a time stamp authority under it."""
    (tmp_path / "tsa.cnf").write_text(AUTHORITY)
    (tmp_path / "tsa.ext").write_text("extendedKeyUsage = critical, timeStamping\n")
    for command in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -subj /CN=root",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa",
        "x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -out tsa.pem -extfile tsa.ext",
    ):
        done = openssl(tmp_path, command)
        assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.fixture
def stamped(shop: Shop, authority: Path) -> Path:
    """The folder with a checkpoint and its stamp."""
    shop.deploy()
    shop.people("ann", "bob")
    assert shop.run("consent", "checkpoint") == 0
    (authority / "checkpoint.json").write_text(shop.out)
    asked = openssl(authority, "ts -query -data checkpoint.json -sha256 -cert -out checkpoint.tsq")
    assert asked.returncode == 0, asked.stderr
    given = openssl(authority, "ts -reply -config tsa.cnf -section tsa -queryfile checkpoint.tsq -out checkpoint.tsr")
    assert given.returncode == 0, given.stderr
    return authority


VERIFY = "ts -verify -data checkpoint.json -in checkpoint.tsr -CAfile root.pem"


def test_c04_the_stamp_of_a_checkpoint_is_verified_without_us(stamped: Path) -> None:
    assert "Verification: OK" in openssl(stamped, VERIFY).stdout


def test_c04_a_checkpoint_changed_after_its_stamp_does_not_fit_it(stamped: Path) -> None:
    kept = stamped / "checkpoint.json"
    kept.write_text(kept.read_text().replace('"at": "20', '"at": "19'))
    assert openssl(stamped, VERIFY).returncode != 0


def test_c04_a_stamped_checkpoint_still_shows_that_the_ledger_is_whole(stamped: Path, shop: Shop) -> None:
    assert shop.run("consent", "checkpoint", "--verify", stamped / "checkpoint.json") == 0

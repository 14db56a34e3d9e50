"""Certificate files that change under a running node, and what its log says of them."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.authority import Authority, request, request_key
from cluster.tls import ExpiryWarning, LinkTls, RefusalLog, TlsError, TlsFiles, identity
from tests.cluster.certificates import Certificates

OWN = identity("c", "a")


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return Certificates(tmp_path / "own", cluster="c").issue("a")


def half_written(files: TlsFiles, directory: Path) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes()[:200])


def gone(files: TlsFiles, directory: Path) -> None:
    files.key.unlink()


def of_two_ages(files: TlsFiles, directory: Path) -> None:
    kept = files.key.read_bytes()
    Certificates(directory / "own", cluster="c").issue("a")
    files.key.write_bytes(kept)


def expired(files: TlsFiles, directory: Path) -> None:
    Certificates(directory / "own", cluster="c").issue("a", age_days=100, days=90)


def not_yet_valid(files: TlsFiles, directory: Path) -> None:
    Certificates(directory / "own", cluster="c").issue("a", age_days=-2)


def of_another_node(files: TlsFiles, directory: Path) -> None:
    other = Certificates(directory / "own", cluster="c").issue("b")
    shutil.copy(other.certificate, files.certificate)
    shutil.copy(other.key, files.key)


def outside_of_its_own_bundle(files: TlsFiles, directory: Path) -> None:
    files.trust.write_bytes(Certificates(directory / "foreign", cluster="c").trust.read_bytes())


def without_a_bundle(files: TlsFiles, directory: Path) -> None:
    files.trust.write_text("")


WRONG = [
    (half_written, "half written"),
    (gone, "No such file"),
    (of_two_ages, "does not belong to the certificate"),
    (expired, "it has expired: renew it"),
    (not_yet_valid, "is the clock of this machine right?"),
    (of_another_node, "it is the certificate of cronclave://c/node/b, this node is cronclave://c/node/a"),
    (outside_of_its_own_bundle, "does not hold the CA that signed it"),
    (without_a_bundle, "no PEM certificates"),
]


@pytest.mark.parametrize(("harm", "says"), WRONG, ids=[harm.__name__ for harm, _ in WRONG])
def test_what_is_wrong_is_refused_at_the_start_and_never_replaces_what_works(
    files: TlsFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: object, says: str
) -> None:
    assert callable(harm)
    tls = LinkTls(files, OWN)
    contexts = (tls.accepting, tls.dialling)
    harm(files, tmp_path)
    for _ in range(3):
        tls.look()
    assert (tls.accepting, tls.dialling) == contexts
    assert caplog.text.count(says) == 1, "said, and not at every look"
    assert "stay in use" in caplog.text
    with pytest.raises(TlsError, match=r"\.pem|\.key") as refused:
        LinkTls(files, OWN)
    assert says in str(refused.value)

    good = Certificates(tmp_path / "new", cluster="c").issue("a")
    for old, new in ((files.certificate, good.certificate), (files.key, good.key), (files.trust, good.trust)):
        shutil.copy(new, old)
    tls.look()
    assert tls.accepting is not contexts[0], "mended, it is used"
    assert tls.dialling is not contexts[1]


def test_a_key_that_others_can_read_is_said(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    files.key.chmod(0o600)
    LinkTls(files, OWN)
    assert not caplog.text
    files.key.chmod(0o640)
    LinkTls(files, OWN)
    assert "chmod 600" in caplog.text


def test_files_that_did_not_change_are_not_read_again(files: TlsFiles) -> None:
    tls = LinkTls(files, OWN)
    before = tls.accepting
    tls.look()
    assert tls.accepting is before


def test_the_end_of_a_certificate_is_said_from_thirty_days_before_once_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now_s, day_s = [0.0], 86_400.0
    warning = ExpiryWarning("node.pem", clock=lambda: now_s[0])
    said = []
    for hour in range(24 * 60):
        now_s[0] = hour * 3600.0 + 1
        before = len(caplog.records)
        warning.look(50 * day_s)
        said += [hour / 24] * (len(caplog.records) - before)
    assert 20 <= said[0] < 20.1
    assert len(said) == 40
    assert "expires on 1970-02-20T00:00:00Z, in 29 days" in caplog.text
    assert "has expired on 1970-02-20T00:00:00Z" in caplog.records[-1].getMessage()


def test_a_flood_of_refusals_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    log = RefusalLog(logging.getLogger("test"), clock=lambda: now_s[0])
    for i in range(1_000):
        log.warn(f"10.0.0.1:{i}", "no certificate", host="10.0.0.1")
    assert len(caplog.records) == 1
    for i in range(1_000):
        log.warn(f"node-{i}", "another cluster")
    assert len(caplog.records) == RefusalLog.LINES_MAX
    now_s[0] = RefusalLog.AGAIN_S
    log.warn("10.0.0.1:7", "no certificate", host="10.0.0.1")
    assert caplog.records[-1].getMessage() == "10.0.0.1:7: no certificate (999 more like this)"


def test_an_authority_takes_nothing_but_the_key_of_a_signing_request(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "ca", cluster="c")
    asked, key = request("node-1 of another cluster")
    now = certificates.authority.certificate.not_valid_before_utc
    signed = certificates.authority.sign(asked, "c", "a", ["h"], now, 1000)
    own = certificates.issue("a")
    own.certificate.write_bytes(signed)
    own.key.write_bytes(key)
    LinkTls(own, OWN)
    with pytest.raises(TlsError):
        LinkTls(own, identity("c", "node-1 of another cluster"))
    for wrong in (b"", b"garbage", signed, asked.replace(b"A", b"B", 3)):
        with pytest.raises(ValueError):  # noqa: PT011  # cryptography words it
            request_key(wrong)


def test_an_authority_of_two_finds_the_certificate_of_its_key(tmp_path: Path) -> None:
    old, new = (Certificates(tmp_path / name, cluster="c") for name in ("old", "new"))
    bundle = new.trust.read_bytes() + old.trust.read_bytes()
    for each in (old, new):
        assert Authority.load(bundle, each.key.read_bytes()).pem == each.trust.read_bytes()
    with pytest.raises(ValueError, match="belongs to none"):
        Authority.load(old.trust.read_bytes(), new.key.read_bytes())
    both = tmp_path / "both.pem"
    both.write_bytes(bundle)
    for each in (old, new):
        LinkTls(replace(each.issue("a"), trust=both), OWN)

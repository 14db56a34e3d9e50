"""Certificate files that change under a running node, and what its log says of them."""

from __future__ import annotations

import logging
import shutil
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from cluster.authority import Authority, request, request_key
from cluster.reactor import Reactor
from cluster.tcp import LinkSettings, TcpLinks
from cluster.tls import (
    LOOK_S,
    RETRY_S,
    ExpiryWarning,
    LinkTls,
    RefusalLog,
    TlsError,
    TlsFiles,
    WatchedFiles,
    identity,
)
from tests.cluster.certificates import Certificates
from tests.cluster.members import free_port
from tests.cluster.test_handshake import Ear, Pair

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


def test_refused_files_are_tried_again_after_a_while_and_used_ones_are_not(tmp_path: Path) -> None:
    """The time may have been the reason."""
    file, now_s = tmp_path / "node.pem", [0.0]
    file.write_text("one")
    watched = WatchedFiles([file], clock=lambda: now_s[0])
    assert not watched.changed()
    file.write_text("another")
    assert watched.changed()
    watched.refused()
    assert not watched.changed()
    now_s[0] += RETRY_S
    assert watched.changed()
    watched.used()
    now_s[0] += 10 * RETRY_S
    assert not watched.changed()


def test_refused_files_are_read_again_though_they_did_not_change(
    files: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tls = LinkTls(files, OWN)
    not_yet_valid(files, tmp_path)
    now_s = [1_000.0]
    monkeypatch.setattr(tls._watched, "_clock", lambda: now_s[0])
    for passed_s in (0.0, 1.0, RETRY_S):
        now_s[0] += passed_s
        tls.look()
    assert caplog.text.count("is the clock of this machine right?") == 2

    Certificates(tmp_path / "own", cluster="c").issue("a")
    tls.look()
    used = tls.accepting
    now_s[0] += 10 * RETRY_S
    tls.look()
    assert tls.accepting is used, "it works: no reason to read it again"


def test_key_that_needs_a_person_is_refused(files: TlsFiles) -> None:
    """Not asked for on a terminal that nobody sees."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="the key is encrypted"):
        LinkTls(files, OWN)


def test_names_cannot_be_made_to_look_like_another_cluster() -> None:
    assert identity("c", "a/b") == "cronclave://c/node/a%2Fb"
    assert identity("c/node/a", "b") == "cronclave://c%2Fnode%2Fa/node/b"


def test_links_speak_no_older_tls(files: TlsFiles) -> None:
    tls = LinkTls(files, OWN)
    assert {tls.accepting.minimum_version, tls.dialling.minimum_version} == {ssl.TLSVersion.TLSv1_3}


def test_end_of_the_own_certificate_is_said_at_each_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = Certificates(tmp_path / "own", cluster="c").issue("a", age_days=80, days=90)
    LinkTls(files, OWN).look()
    assert "in 9 days: renew it" in caplog.text


def test_new_files_are_found_without_a_word_and_once_more_on_request(
    files: TlsFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cluster.tls")
    now_s = [0.0]
    reactor = Reactor(clock=lambda: now_s[0])
    links = TcpLinks(reactor, LinkSettings(f"127.0.0.1:{free_port()}", tls=files, identity=OWN))
    ends = [links.certificate_ends_s]
    for days in (30, 60):  # found again and again
        Certificates(tmp_path / "own", cluster="c").issue("a", days=days)
        now_s[0] += LOOK_S + 0.1
        reactor.step(0.0)
        ends.append(links.certificate_ends_s)
    assert len(set(ends)) == 3
    before = caplog.text.count("is read again")
    links.reload()  # a request reads them whether they look changed or not
    assert caplog.text.count("is read again") == before + 1
    links.close()
    reactor.close()


def test_connections_that_stand_outlive_new_certificates(tmp_path: Path) -> None:
    """Breaking them would be an election for nothing."""
    certificates = Certificates(tmp_path / "own", cluster="c")
    first, second = Ear("a"), Ear("b")
    pair = Pair(first, second, tls=certificates.issue)
    pair.until(lambda: first.up == ["b"] and second.up == ["a"], "connected")
    certificates.issue("a", days=30)
    for links in pair.links:
        links.reload()
    for term in range(3):
        assert pair.links[0].send("b", {"type": "higher_term", "term": term})
        pair.links[0].flush()
        pair.until(lambda term=term: len(second.messages) == term + 1, "heard")
    assert (first.down, second.down, first.lost, second.lost) == ([], [], [], [])
    pair.close()

"""Certificates in a directory, as `cronclave cluster init` makes them, and wrong ones."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.authority import Authority
from cluster.tls import TlsFiles


class Certificates:
    """One CA, kept in the directory; what it signs is for one cluster."""

    def __init__(self, directory: Path, cluster: str) -> None:
        self._directory, self._cluster = directory, cluster
        directory.mkdir(parents=True, exist_ok=True)
        self.trust, self.key = directory / "ca.pem", directory / "ca.key"
        if not self.trust.exists():
            made = Authority.create(directory.name, _now() - datetime.timedelta(days=400))
            self.trust.write_bytes(made.pem)
            self.key.write_bytes(made.key_pem)

    @property
    def authority(self) -> Authority:
        return Authority.load(self.trust.read_bytes(), self.key.read_bytes())

    def issue(
        self, name: str, *, hosts: Sequence[str] = ("127.0.0.1",), age_days: float = 0, days: int = 90
    ) -> TlsFiles:
        """Certificate and key of a node."""
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        made = self.authority.issue(
            self._cluster, name, hosts, _now() - datetime.timedelta(days=age_days), days
        )
        certificate.write_bytes(made[0])
        key.write_bytes(made[1])
        return TlsFiles(certificate, key, self.trust)

    def web(self, host: str) -> TlsFiles:
        """As the same authority would sign it for a web server: it names a host and no node."""
        files, made = self.issue(host), self.authority
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signed = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
            .issuer_name(made.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - datetime.timedelta(hours=1))
            .not_valid_after(_now() + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(made.key, hashes.SHA256())
        )
        files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return files


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)

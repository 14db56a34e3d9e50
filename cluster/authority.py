"""The cluster's certificate authority: made once, signs one certificate for each node.

Rules:
1. A node's certificate says who it is in one URI, `cronclave://CLUSTER/node/NAME`: cluster uid and node name
   cannot be told apart from it. Beside it stand the hosts under which its HTTPS is reached. One
   certificate serves both ports, so that there is one file to renew and one expiry to watch.
2. Keys are EC P-256, unencrypted PKCS #8: a node starts without a person. Whoever writes them to a file
   makes it private (0600).
3. An authority signs nodes and no further authorities. Of a signing request only the key is taken: the
   name and the hosts are the signer's word.
4. The current time is an argument.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.tls import identity

AUTHORITY_DAYS = 3650
NODE_DAYS = 365
DAYS_MAX = 36_500
HOSTS_MAX = 50
_BACKDATED = datetime.timedelta(minutes=10)  #: for clocks that are behind the signer's
_LABEL_LETTERS = 40  #: a common name has 64 at most


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, label: str, now: datetime.datetime, days: int = AUTHORITY_DAYS) -> Authority:
        """A new one. Its name is unique, so that two of them can be told apart in one bundle."""
        key = ec.generate_private_key(ec.SECP256R1())
        common = f"{label[:_LABEL_LETTERS]} CA {now:%Y-%m-%d} {secrets.token_hex(2)}"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        certificate = (
            _builder(name, name, key.public_key(), now, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> Authority:
        """From PEM; of a bundle, the certificate that the key belongs to. Raises ValueError."""
        private = _private_key(key)
        public = _spki(private.public_key())
        for candidate in x509.load_pem_x509_certificates(certificate):
            if _spki(candidate.public_key()) == public:
                return cls(candidate, private)
        raise ValueError("the key belongs to none of the CA certificates")

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _key_pem(self.key)

    def issue(
        self, cluster: str, name: str, hosts: Sequence[str], now: datetime.datetime, days: int = NODE_DAYS
    ) -> tuple[bytes, bytes]:
        """Certificate and a new key for a node, as PEM. Raises ValueError."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._sign(key.public_key(), cluster, name, hosts, now, days), _key_pem(key)

    def sign(
        self,
        request: bytes,
        cluster: str,
        name: str,
        hosts: Sequence[str],
        now: datetime.datetime,
        days: int = NODE_DAYS,
    ) -> bytes:
        """Certificate for the key of a signing request, as PEM. Raises ValueError."""
        return self._sign(request_key(request), cluster, name, hosts, now, days)

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey,
        cluster: str,
        name: str,
        hosts: Sequence[str],
        now: datetime.datetime,
        days: int,
    ) -> bytes:
        if len(hosts) > HOSTS_MAX:
            raise ValueError(f"{len(hosts)} hosts in one certificate, {HOSTS_MAX} at most")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(identity(cluster, name))]
        names += [_host(host) for host in dict.fromkeys(hosts)]
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(subject, self.certificate.subject, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(authority_key, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def request(name: str) -> tuple[bytes, bytes]:
    """Signing request and a new key, as PEM. The name is for people; see rule 3."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM), _key_pem(key)


def request_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a signing request whose sender holds it. Raises ValueError."""
    csr = x509.load_pem_x509_csr(pem)
    key = csr.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a signing request needs an EC P-256 key")
    try:
        is_signed = csr.is_signature_valid
    except InvalidSignature:
        is_signed = False
    if not is_signed:
        raise ValueError("the signing request is not signed by its own key")
    return key


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of a public key, in hex."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_spki(key))
    return digest.finalize().hex()


@dataclass(frozen=True, slots=True)
class Described:
    """What a person wants to know of a certificate."""

    subject: str
    identities: tuple[str, ...]
    hosts: tuple[str, ...]
    not_before: datetime.datetime
    not_after: datetime.datetime
    fingerprint: str  #: SHA-256 of the whole certificate, in hex
    issuer: str


def describe(pem: bytes) -> list[Described]:
    """Every certificate of a PEM file. Raises ValueError."""
    found = []
    for certificate in x509.load_pem_x509_certificates(pem):
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = x509.SubjectAlternativeName([])
        found.append(
            Described(
                subject=certificate.subject.rfc4514_string(),
                identities=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
                hosts=(
                    *names.get_values_for_type(x509.DNSName),
                    *map(str, names.get_values_for_type(x509.IPAddress)),
                ),
                not_before=certificate.not_valid_before_utc,
                not_after=certificate.not_valid_after_utc,
                fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
                issuer=certificate.issuer.rfc4514_string(),
            )
        )
    return found


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    days: int,
) -> x509.CertificateBuilder:
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"a certificate is valid for 1 to {DAYS_MAX} days, not {days}")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode())
    except UnicodeError:
        raise ValueError(f"{host!r} is no host name") from None


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the key is encrypted: a node needs one that it can read without a person") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is no EC key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

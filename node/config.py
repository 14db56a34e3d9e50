"""Configuration of a node: TOML, read once into frozen records.

Precedence: environment (CRONCLAVE_NODE_…) over file over default. Every problem is reported
with the file and the setting; an unknown setting is refused with the near miss.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from outside import mail
from settings.addresses import is_loopback

TEXT_LETTERS_MAX = 1024  #: as in a hello between nodes
ELECTION_TIMEOUT_MS_MAX = 60_000
LOG_BYTES_MAX = 1 << 40


class ConfigError(Exception):
    """What is wrong with the configuration, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """A founding member, or for a joining node a member to copy from."""

    name: str
    raft: Address
    zone: str
    url: str


@dataclass(frozen=True, slots=True)
class TlsConfig:
    ca: Path
    cert: Path
    key: Path
    ca_key: Path | None = None  #: this node signs certificates for machines that join by token


@dataclass(frozen=True, slots=True)
class NodeConfig:
    cluster: str
    name: str
    zone: str
    data: Path
    http: Address
    url: str
    public_url: str  #: by which others reach the cluster; empty: nobody said
    raft: Address
    raft_address: Address  #: where the others reach it
    members: Mapping[str, MemberConfig]
    join: bool
    dial: Mapping[str, Address] = field(default_factory=dict)
    election_timeout_ms: int = 300
    insecure: bool = False
    tls: TlsConfig | None = None
    http_cert: Path | None = None
    http_key: Path | None = None
    bootstrap_token_sha256: bytes | None = None
    webhook_signing_key: Path | None = None  #: the file with the keys that notices are signed with
    webhook_loopback: bool = False  #: notices may go to this host itself
    mail: mail.MailServer | None = None  #: that takes mails; None: none does
    secret_key_file: Path | None = None  #: the keys that secrets are encrypted with
    secret_key_command: tuple[str, ...] = ()  #: what prints them, in place of a file; empty: none
    log_bytes_max: int = 64 << 20
    environment: str = ""  #: of which environment the cluster is: sources have to say the same; empty: none
    source_folders: tuple[Path, ...] = ()  #: below which sources of this host may lie
    demonstration: Path | None = None  #: the socket by which `cronclave dev` breaks things on purpose


_SETTINGS: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            "cluster", "demonstration", "environment", "insecure", "join",
            "node", "http", "raft", "members", "dial", "tls", "auth", "webhooks", "mail", "secrets",
            "sources",
        }
    ),
    "node": frozenset({"name", "zone", "data"}),
    "http": frozenset({"listen", "url", "public_url", "cert", "key"}),
    "raft": frozenset({"listen", "address", "election_timeout_ms", "log_bytes_max"}),
    "members": frozenset({"raft", "zone", "url"}),
    "tls": frozenset({"ca", "cert", "key", "ca_key"}),
    "auth": frozenset({"bootstrap_token_sha256"}),
    "webhooks": frozenset({"signing_key", "loopback"}),
    "mail": mail.KEYS,
    "secrets": frozenset({"key_file", "key_command"}),
    "sources": frozenset({"folders"}),
}
ENVIRONMENT = {
    "CRONCLAVE_NODE_NAME": ("node", "name"),
    "CRONCLAVE_NODE_ZONE": ("node", "zone"),
    "CRONCLAVE_NODE_DATA": ("node", "data"),
    "CRONCLAVE_NODE_HTTP_LISTEN": ("http", "listen"),
    "CRONCLAVE_NODE_HTTP_URL": ("http", "url"),
    "CRONCLAVE_NODE_HTTP_PUBLIC_URL": ("http", "public_url"),
    "CRONCLAVE_NODE_RAFT_LISTEN": ("raft", "listen"),
    "CRONCLAVE_NODE_RAFT_ADDRESS": ("raft", "address"),
    "CRONCLAVE_NODE_BOOTSTRAP_TOKEN_SHA256": ("auth", "bootstrap_token_sha256"),
}


def is_text(value: object) -> bool:
    """Not empty, and fit for a line of a log, a header and a hello (cluster.wire)."""
    return isinstance(value, str) and 0 < len(value) <= TEXT_LETTERS_MAX and value.isprintable()


def shown(value: object) -> str:
    """For a refusal: no longer than a person reads."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}… ({len(text)} letters)"


def parse_address(text: object, where: str) -> Address:
    """host:port or [v6]:port; raises ConfigError."""
    if isinstance(text, str):
        host, separator, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        is_number = len(port) <= 5 and port.isascii() and port.isdigit()
        if separator and is_text(host) and is_number and 0 < int(port) < 65536:
            return Address(host, int(port))
    raise ConfigError(f"{where}: {shown(text)} is no address; write host:port, such as 127.0.0.1:8321")


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> NodeConfig:
    """The configuration of this file and environment; raises ConfigError."""
    env = os.environ if environment is None else environment
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for variable, (table, key) in ENVIRONMENT.items():
        if variable in env:
            raw.setdefault(table, {})[key] = env[variable]
    _refuse_unknown(path, raw)
    return _Reader(path, raw).config()


def _refuse_unknown(path: Path, raw: dict[str, Any]) -> None:
    def check(table: str, keys: Any, prefix: str) -> None:
        for key in keys:
            if key not in _SETTINGS[table]:
                near = difflib.get_close_matches(key, _SETTINGS[table], 1)
                hint = (
                    f"; did you mean {near[0]!r}?"
                    if near
                    else f"; known are {', '.join(sorted(_SETTINGS[table]))}"
                )
                raise ConfigError(f"{path}: unknown setting {prefix}{key}{hint}")

    check("", raw, "")
    for table in ("node", "http", "raft", "tls", "auth", "webhooks", "mail", "secrets", "sources"):
        if not isinstance(raw.get(table, {}), dict):
            raise ConfigError(f"{path}: [{table}] must be a table")
        check(table, raw.get(table, {}), f"{table}.")
    if not isinstance(raw.get("dial", {}), dict):
        raise ConfigError(f'{path}: [dial] must be a table: node = "host:port"')
    if not isinstance(raw.get("members", {}), dict):
        raise ConfigError(f"{path}: [members] must be a table of tables")
    for name, member in raw.get("members", {}).items():
        if not isinstance(member, dict):
            raise ConfigError(f"{path}: members.{name} must be a table with raft, zone and url")
        check("members", member, f"members.{name}.")


class _Reader:
    def __init__(self, path: Path, raw: dict[str, Any]) -> None:
        self._path = path
        self._raw = raw

    def _text(self, table: str, key: str, default: str | None = None) -> str:
        value = (self._raw.get(table, {}) if table else self._raw).get(key, default)
        where = f"{table}.{key}" if table else key
        if value is None:
            raise ConfigError(f"{self._path}: {where} is missing")
        if not is_text(value):
            raise ConfigError(
                f"{self._path}: {where} must be a text of 1 to {TEXT_LETTERS_MAX} printable letters, "
                f"not {shown(value)}"
            )
        return str(value)

    def _number(self, table: str, key: str, default: int, least: int, most: int) -> int:
        value = self._raw.get(table, {}).get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(
                f"{self._path}: {table}.{key} must be a whole number of at least {least} and at most {most}, "
                f"not {shown(value)}"
            )
        return value

    def _flag(self, table: str, key: str) -> bool:
        value = (self._raw.get(table, {}) if table else self._raw).get(key, False)
        if not isinstance(value, bool):
            where = f"{table}.{key}" if table else key
            raise ConfigError(f"{self._path}: {where} must be true or false, not {shown(value)}")
        return value

    def _file(self, table: str, key: str) -> Path:
        file = self._path.parent / self._text(table, key)
        try:
            there = file.is_file()
        except OSError as error:  # a name that is too long, a folder that nobody may look into
            raise ConfigError(f"{self._path}: {table}.{key}: {error.strerror}: {shown(str(file))}") from error
        if not there:
            raise ConfigError(f"{self._path}: {table}.{key}: no file {file}")
        return file

    def config(self) -> NodeConfig:
        name = self._text("node", "name")
        http = parse_address(self._text("http", "listen"), f"{self._path}: http.listen")
        raft = parse_address(self._text("raft", "listen"), f"{self._path}: raft.listen")
        raft_address = parse_address(self._text("raft", "address", str(raft)), f"{self._path}: raft.address")
        http_tls = self._raw.get("http", {})
        has_https = "cert" in http_tls or "key" in http_tls
        scheme = "https" if has_https else "http"
        config = NodeConfig(
            cluster=self._text("", "cluster"),
            name=name,
            zone=self._text("node", "zone"),
            data=(self._path.parent / self._text("node", "data")).absolute(),
            http=http,
            url=self._text("http", "url", f"{scheme}://{http}").rstrip("/"),
            public_url=self._public_url(),
            raft=raft,
            raft_address=raft_address,
            members=self._members(),
            join=self._flag("", "join"),
            dial={
                peer: parse_address(text, f"{self._path}: dial.{peer}")
                for peer, text in self._raw.get("dial", {}).items()
            },
            election_timeout_ms=self._number("raft", "election_timeout_ms", 300, 50, ELECTION_TIMEOUT_MS_MAX),
            insecure=self._flag("", "insecure"),
            tls=self._tls(),
            http_cert=self._file("http", "cert") if has_https else None,
            http_key=self._file("http", "key") if has_https else None,
            bootstrap_token_sha256=self._token(),
            webhook_signing_key=self._webhook_key(),
            webhook_loopback=self._flag("webhooks", "loopback"),
            mail=self._mail(),
            secret_key_file=self._secret_key_file(),
            secret_key_command=self._secret_key_command(),
            log_bytes_max=self._number("raft", "log_bytes_max", 64 << 20, 1 << 16, LOG_BYTES_MAX),
            environment=self._text("", "environment") if "environment" in self._raw else "",
            source_folders=self._source_folders(),
            demonstration=Path(self._text("", "demonstration")) if "demonstration" in self._raw else None,
        )
        self._refuse_unsafe(config)
        if not config.url.startswith(f"{scheme}://"):
            raise ConfigError(
                f"{self._path}: http.url {config.url} must begin with {scheme}://: "
                + ("http.cert and http.key are given" if has_https else "http.cert and http.key are missing")
            )
        if not config.join and name not in config.members:
            raise ConfigError(f"{self._path}: [members.{name}] is missing: a founding node lists itself")
        return config

    def _members(self) -> dict[str, MemberConfig]:
        members = {}
        for name in self._raw.get("members", {}):
            table = self._raw["members"][name]
            for key in ("raft", "zone", "url"):
                if key not in table:
                    raise ConfigError(f"{self._path}: members.{name}.{key} is missing")
                if not is_text(table[key]):
                    raise ConfigError(
                        f"{self._path}: members.{name}.{key} must be a text of 1 to {TEXT_LETTERS_MAX} "
                        f"printable letters, not {shown(table[key])}"
                    )
            if not is_text(name):
                raise ConfigError(f"{self._path}: [members.NAME]: {shown(name)} is no name")
            members[name] = MemberConfig(
                name,
                parse_address(table["raft"], f"{self._path}: members.{name}.raft"),
                table["zone"],
                table["url"].rstrip("/"),
            )
        if not members:
            raise ConfigError(f"{self._path}: [members.NAME] is missing: list at least one member")
        return members

    def _tls(self) -> TlsConfig | None:
        if "tls" not in self._raw:
            return None
        ca_key = self._file("tls", "ca_key") if "ca_key" in self._raw["tls"] else None
        return TlsConfig(self._file("tls", "ca"), self._file("tls", "cert"), self._file("tls", "key"), ca_key)

    def _public_url(self) -> str:
        if "public_url" not in self._raw.get("http", {}):
            return ""
        url = self._text("http", "public_url").rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigError(
                f"{self._path}: http.public_url {shown(url)} must be an address such as"
                " https://cronclave.example.org, by which what runs elsewhere reaches the cluster"
            )
        return url

    def _webhook_key(self) -> Path | None:
        has_key = "signing_key" in self._raw.get("webhooks", {})
        return self._file("webhooks", "signing_key") if has_key else None

    def _mail(self) -> mail.MailServer | None:
        if "mail" not in self._raw:
            return None
        try:
            return mail.mail_server(self._raw["mail"], self._path.parent)
        except (ValueError, OSError) as error:
            raise ConfigError(f"{self._path}: {error}") from None

    def _secret_key_file(self) -> Path | None:
        given = self._raw.get("secrets", {})
        if "key_file" in given and "key_command" in given:
            raise ConfigError(f"{self._path}: secrets.key_file and secrets.key_command exclude each other")
        return self._file("secrets", "key_file") if "key_file" in given else None

    def _secret_key_command(self) -> tuple[str, ...]:
        value = self._raw.get("secrets", {}).get("key_command", [])
        if not isinstance(value, list) or not all(map(is_text, value)):
            raise ConfigError(
                f"{self._path}: secrets.key_command must be a program and its arguments, such as "
                f'["/usr/local/bin/secret-keys"], not {shown(value)}'
            )
        return tuple(value)

    def _source_folders(self) -> tuple[Path, ...]:
        value = self._raw.get("sources", {}).get("folders", [])
        if not isinstance(value, list) or not all(is_text(each) and each.startswith("/") for each in value):
            raise ConfigError(
                f'{self._path}: sources.folders must be a list of absolute paths, such as ["/srv/jobs"], '
                f"not {shown(value)}"
            )
        return tuple(map(Path, value))

    def _token(self) -> bytes | None:
        text = self._raw.get("auth", {}).get("bootstrap_token_sha256")
        if text is None:
            return None
        try:
            token = bytes.fromhex(text)
        except (TypeError, ValueError):
            token = b""
        if len(token) != 32:
            raise ConfigError(f"{self._path}: auth.bootstrap_token_sha256 must be 64 hexadecimal digits")
        return token

    def _refuse_unsafe(self, config: NodeConfig) -> None:
        if config.demonstration is not None and not (config.http.loopback and config.raft.loopback):
            raise ConfigError(
                f"{self._path}: demonstration: only `cronclave dev` sets it, for nodes on one machine; "
                "this one is reachable from other hosts"
            )
        if config.insecure:
            return
        if not config.raft.loopback and config.tls is None:
            raise ConfigError(
                f"{self._path}: raft.listen {config.raft} is reachable from other hosts without TLS; "
                "give [tls] ca, cert and key, or say insecure = true"
            )
        if not config.http.loopback and config.http_cert is None:
            raise ConfigError(
                f"{self._path}: http.listen {config.http} is reachable from other hosts without TLS; "
                "give http.cert and http.key, or say insecure = true"
            )

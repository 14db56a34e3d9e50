"""What an agent is told: TOML file, then CRONCLAVE_AGENT_* from the environment, then flags."""

from __future__ import annotations

import argparse
import os
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from settings.addresses import is_loopback

OUTPUT_BYTES_MAX = 64 << 20
OUTPUT_KEEP_BYTES = 1 << 30
OUTPUT_KEEP_MS = 7 * 86_400_000


class ConfigError(ValueError):
    """A setting that is missing, unknown or wrong; the text names it."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    name: str
    zone: str
    nodes: tuple[str, ...]  #: base URLs, own zone first
    data: Path
    fixed_nodes: bool = False  #: only the addresses of `nodes`, never those that a node names
    pool: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    slots: int = 16
    token: str = ""
    token_file: Path | None = None
    boot_id_file: Path = Path("/proc/sys/kernel/random/boot_id")
    parent_pid: int = 0  #: development: agent and spooler end with this process
    ca: Path | None = None
    insecure: bool = False  #: plain http to nodes beyond loopback
    cloud_id: str = ""
    output_bytes_max: int = OUTPUT_BYTES_MAX  #: of one attempt; what comes after is discarded
    output_keep_bytes: int = OUTPUT_KEEP_BYTES  #: of all ended attempts together
    output_keep_ms: int = OUTPUT_KEEP_MS

    def bearer(self) -> str:
        """The token; read again at every connection, so that a file may be renewed in place."""
        if self.token_file is not None:
            return self.token_file.read_text().strip()
        return self.token


def _pairs(value: Any, key: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items()}
    pairs = [item for item in str(value).split(",") if item]
    if any("=" not in item for item in pairs):
        raise ConfigError(f"{key}: expected name=value,…, got {value!r}")
    return {item.split("=", 1)[0].strip(): item.split("=", 1)[1].strip() for item in pairs}


def _flag(value: Any, key: str) -> bool:
    if isinstance(value, bool):
        return value
    if str(value) not in ("true", "false"):
        raise ConfigError(f"{key}: expected true or false, got {value!r}")
    return str(value) == "true"


def _number(value: Any, key: str, least: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{key}: expected a whole number, got {value!r}") from None
    if number < least:
        raise ConfigError(f"{key}: expected at least {least}, got {number}")
    return number


def from_mapping(raw: Mapping[str, Any]) -> AgentConfig:
    """The frozen configuration of plain values; raises ConfigError."""
    known = {f.name for f in fields(AgentConfig)}
    for key in raw:
        if key not in known:
            raise ConfigError(f"{key}: unknown setting; known are {', '.join(sorted(known))}")
    values: dict[str, Any] = dict(raw)
    for key in ("zone", "nodes", "data"):
        if not values.get(key):
            raise ConfigError(f"{key}: missing")
    values.setdefault("name", socket.gethostname())
    nodes = values["nodes"]
    if isinstance(nodes, str):
        nodes = [part.strip() for part in nodes.split(",") if part.strip()]
    for url in nodes:
        if not str(url).startswith(("http://", "https://")):
            raise ConfigError(f"nodes: expected http:// or https:// base URLs, got {url!r}")
    values["nodes"] = tuple(str(url).rstrip("/") for url in nodes)
    values["insecure"] = _flag(values.get("insecure", False), "insecure")
    values["fixed_nodes"] = _flag(values.get("fixed_nodes", False), "fixed_nodes")
    if not values["insecure"]:
        for url in values["nodes"]:
            if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
                raise ConfigError(
                    f"nodes: {url} has no TLS: everybody on the way could read the token and change what "
                    "runs here; use its https address, or say insecure = true"
                )
    values["labels"] = _pairs(values.get("labels", {}), "labels")
    for key in ("data", "token_file", "boot_id_file", "ca"):
        if values.get(key):
            values[key] = Path(values[key]).absolute()
        elif key in values:
            del values[key]
    for key, least in (
        ("slots", 1),
        ("parent_pid", 0),
        ("output_bytes_max", 1024),
        ("output_keep_bytes", 0),
        ("output_keep_ms", 0),
    ):
        if key in values:
            values[key] = _number(values[key], key, least)
    return AgentConfig(**values)


def _flags(arguments: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(
        prog="python -m agent", description="Runs tasks on this host.", allow_abbrev=False
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with the settings")
    flagged = [option for option in fields(AgentConfig) if option.name != "token"]
    for option in flagged:  # no token: everybody on the host can read command lines
        parser.add_argument(f"--{option.name.replace('_', '-')}", default=None)
    return vars(parser.parse_args(arguments))


def config_file(arguments: list[str], environment: Mapping[str, str]) -> str | None:
    """The file that these flags, or else this environment, name."""
    return _flags(arguments)["config"] or environment.get("CRONCLAVE_AGENT_CONFIG")


def variable_of(setting: str) -> str:
    return f"CRONCLAVE_AGENT_{setting.upper()}"


def load(arguments: list[str], environment: Mapping[str, str]) -> AgentConfig:
    """Flags over environment over file over defaults; raises ConfigError."""
    flags = _flags(arguments)
    raw: dict[str, Any] = {}
    path = config_file(arguments, environment)
    if path:
        try:
            raw.update(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
    for option in fields(AgentConfig):
        value = environment.get(variable_of(option.name))
        if value is not None:
            raw[option.name] = value
        if flags.get(option.name) is not None:
            raw[option.name] = flags[option.name]
    return from_mapping(raw)


def boot_id(config_file: Path | str) -> str:
    """The host's boot id; another one means that nothing of before can be running."""
    with open(os.fspath(config_file)) as file:
        return file.read().strip()

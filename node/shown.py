"""`python -m node.shown --config FILE`: the settings with which a node would start, and who says so, in JSON.

Read in the same way as a node reads them, in this environment; what a node would refuse is refused here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from node.config import ENVIRONMENT, ConfigError, NodeConfig, load_config
from settings.origins import DEFAULT, HIDDEN, Lines, Shown, tell


def shown(path: Path, environment: Mapping[str, str]) -> list[Shown]:
    """Every setting. Raises ConfigError."""
    config = load_config(path, environment)
    lines = Lines(path.read_text(encoding="utf-8"))
    told = {place: variable for variable, place in ENVIRONMENT.items() if variable in environment}
    found = []
    for place, value in _values(config):
        line = lines.of([key for key in place if key])
        by_file = DEFAULT if line is None else f"{path}:{line}"
        variable = told.get((place[0], place[-1])) if len(place) == 2 else None
        found.append(Shown(".".join(key for key in place if key), value, variable or by_file))
    return found


def _values(config: NodeConfig) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Table and key as in the file, with what the node makes of them."""
    yield ("", "cluster"), config.cluster
    yield ("", "environment"), config.environment or None
    yield ("", "demonstration"), _file(config.demonstration)
    yield ("", "insecure"), config.insecure
    yield ("", "join"), config.join
    yield ("node", "name"), config.name
    yield ("node", "zone"), config.zone
    yield ("node", "data"), str(config.data)
    yield ("http", "listen"), str(config.http)
    yield ("http", "url"), config.url
    yield ("http", "public_url"), config.public_url
    yield ("http", "cert"), _file(config.http_cert)
    yield ("http", "key"), _file(config.http_key)
    yield ("raft", "listen"), str(config.raft)
    yield ("raft", "address"), str(config.raft_address)
    yield ("raft", "election_timeout_ms"), config.election_timeout_ms
    yield ("raft", "log_bytes_max"), config.log_bytes_max
    tls = config.tls
    yield ("tls", "ca"), _file(tls.ca if tls else None)
    yield ("tls", "cert"), _file(tls.cert if tls else None)
    yield ("tls", "key"), _file(tls.key if tls else None)
    yield ("tls", "ca_key"), _file(tls.ca_key if tls else None)
    yield ("auth", "bootstrap_token_sha256"), HIDDEN if config.bootstrap_token_sha256 else None
    yield ("webhooks", "signing_key"), _file(config.webhook_signing_key)
    yield ("webhooks", "loopback"), config.webhook_loopback
    server = config.mail
    yield ("mail", "server"), f"{server.host}:{server.port}" if server else None
    yield ("mail", "from"), server.sender if server else None
    yield ("mail", "tls"), server.tls if server else None
    yield ("mail", "username"), server.username or None if server else None
    yield ("mail", "password_file"), _file(server.password_file if server else None)
    yield ("sources", "folders"), [str(folder) for folder in config.source_folders] or None
    yield ("secrets", "key_file"), _file(config.secret_key_file)
    yield ("secrets", "key_command"), list(config.secret_key_command) or None
    for name, member in config.members.items():
        yield ("members", name, "raft"), str(member.raft)
        yield ("members", name, "zone"), member.zone
        yield ("members", name, "url"), member.url
    for name, address in config.dial.items():
        yield ("dial", name), str(address)


def _file(path: Path | None) -> str | None:
    return None if path is None else str(path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m node.shown", description="The settings of a node.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the node's TOML file")
    path = parser.parse_args().config
    return tell(lambda: shown(path, os.environ), refused=ConfigError)


if __name__ == "__main__":
    sys.exit(main())

"""A node or an agent on this machine, by its own configuration: what it would meet when it starts."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.authority import certify
from cli.client import Client
from cli.doctor import disk
from cli.doctor.findings import FAULT, OK, UNKNOWN, WARNING, Finding
from cli.exits import Failure
from cli.output import counted
from cli.processes import module_answer
from cli.target import Target

SOON_DAYS = 30
VERY_SOON_DAYS = 7
ANSWER_S = 2.0
CHOSEN_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")

Settings = dict[str, Any]


def node(file: Path) -> list[Finding]:
    try:
        told = _settings("node.shown", file)
    except Failure as failure:
        return [_refused(file, failure)]
    data = Path(told["node.data"])
    found = [_understood(file), *folder(data)]
    runs = _is_held(data / "lock")
    for name in ("http.listen", "raft.listen"):
        found.append(port(name, told[name], runs=runs))
    files = dict.fromkeys(told[name] for name in ("http.cert", "tls.cert", "tls.ca") if told[name])
    found += certificates([Path(file) for file in files], datetime.now(UTC))
    keys = ("http.key", "tls.key", "tls.ca_key", "secrets.key_file")
    found += [private(Path(told[key])) for key in keys if told[key]]
    return found


def agent(file: Path) -> list[Finding]:
    try:
        told = _settings("agent.shown", file)
    except Failure as failure:
        return [_refused(file, failure)]
    found = [_understood(file), *folder(Path(told["data"]))]
    if told["token_file"]:
        found.append(private(Path(told["token_file"])))
    for url in told["nodes"]:
        found.append(_answers(url, told["ca"]))
    return found


def _settings(module: str, file: Path) -> Settings:
    return {each["setting"]: each["value"] for each in module_answer(module, "--config", str(file))}


def _refused(file: Path, failure: Failure) -> Finding:
    return Finding("settings", FAULT, failure.message, f"Mend {file}; docs/reference tells of each setting.")


def _understood(file: Path) -> Finding:
    return Finding("settings", OK, f"{file} is understood (cronclave config show --origin tells what it"
    " says)")


def folder(data: Path, may: Callable[[Path, int], bool] = os.access) -> Iterator[Finding]:
    if not data.exists():
        yield Finding("data", OK, f"{data} is not there yet; it is made at the first start")
        nearest = next(parent for parent in data.parents if parent.exists())
        if not may(nearest, os.W_OK):
            yield Finding(
                "data", FAULT, f"{nearest}, where {data.name} would be made, is not writable for this user",
                f"mkdir -p {data}, and give it to the user that runs this.",
            )  # fmt: skip
        data = nearest
    elif not may(data, os.W_OK | os.X_OK):
        yield Finding(
            "data", FAULT, f"{data} is not writable for this user",
            "chown it to the user that runs this, or run doctor as that user: sudo -u USER cronclave"
            " doctor …",
        )  # fmt: skip
    yield disk.room(data)
    yield disk.syncs(data)


def _is_held(lock: Path) -> bool:
    """Whether a node runs on this data directory."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def port(setting: str, address: str, *, runs: bool, chosen: Path = CHOSEN_PORTS) -> Finding:
    """Whether it can be listened on, or the node itself does."""
    host, _, number = address.rpartition(":")
    host, wanted = host.strip("[]"), int(number)
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the node does
            trial.bind(place)
            trial.listen(1)
    except (socket.gaierror, UnicodeError):
        said = f"{setting}: {host} is no name that leads anywhere"
        return Finding("port", FAULT, said, "Write an address of this host.")
    except OSError as error:
        if runs and error.errno == errno.EADDRINUSE:
            return Finding("port", OK, f"{setting} {address}: the node that runs here has it")
        fixes = {
            errno.EADDRINUSE: f"See who has it: ss -ltnp 'sport = :{wanted}'; or choose another port.",
            errno.EADDRNOTAVAIL: f"{host} is no address of this host (ip addr): write one, or 0.0.0.0.",
            errno.EACCES: "Ports below 1024 need rights: choose a higher one.",
        }
        return Finding(
            "port", FAULT, f"{setting} {address}: {error.strerror}", fixes.get(error.errno or 0, "Choose"
            " another.")
        )
    least = _first_chosen(chosen)
    if least is not None and wanted >= least:
        return Finding(
            "port", WARNING, f"{setting} {address} lies among those that the kernel gives to connections",
            f"Choose one below {least}, or reserve it: sysctl net.ipv4.ip_local_reserved_ports={wanted}.",
        )  # fmt: skip
    if runs:
        said = "a node runs on this data, and listens elsewhere"
        return Finding("port", WARNING, f"{setting} {address}: {said}", "Restart the node.")
    return Finding("port", OK, f"{setting} {address}: free")


def _first_chosen(file: Path) -> int | None:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def certificates(files: list[Path], now: datetime) -> Iterator[Finding]:
    for file in files:
        try:
            described = certify("describe", files={str(file): file.read_text()})["files"][str(file)]
        except (Failure, OSError, ValueError) as error:
            said = error.message.rpartition(": ")[2] if isinstance(error, Failure) else str(error)
            yield Finding("certificate", FAULT, f"{file}: {said}", "Put a PEM certificate there.")
            continue
        for one in described:
            yield lasting(str(file), one["not_after"], now)


def lasting(what: str, until: str, now: datetime) -> Finding:
    """Whether a certificate is good for a while."""
    left = (datetime.fromisoformat(until) - now).days
    if left >= SOON_DAYS:
        return Finding("certificate", OK, f"{what} is valid until {until}")
    said = f"{what} ended {until}" if left < 0 else f"{what} ends in {counted(left, 'day')}, {until}"
    return Finding(
        "certificate", FAULT if left < VERY_SOON_DAYS else WARNING, said,
        "cronclave cluster cert renew DIRECTORY, then copy each tls/ folder: nodes read it without a"
        " restart.",
    )  # fmt: skip


def private(file: Path) -> Finding:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        with file.open("rb"):
            pass
    except OSError as error:
        return Finding("secret", FAULT, f"{file}: {error.strerror}", "Give it to the user that runs this.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("secret", WARNING, f"others may read {file} (mode {mode:04o})", f"chmod 600 {file}")
    return Finding("secret", OK, f"{file} is private")


def _answers(url: str, ca: str | None) -> Finding:
    target = Target((url,), "", "the agent's nodes", ca=ca or "", ca_source="ca" if ca else "")
    try:
        found = Client(target, within_s=ANSWER_S, reply_s=ANSWER_S).get("/healthz")
    except Failure as failure:
        why = "; ".join(failure.details) or failure.message
        return Finding(
            "node in reach", FAULT, f"{url} does not answer: {why}",
            "Is it up, and does a firewall let this host through? One of the nodes is enough to start with.",
        )  # fmt: skip
    name = found.get("node") if isinstance(found, dict) else None
    if name is None:
        return Finding("node in reach", UNKNOWN, f"{url} is no node of Cronclave", "Write a node's base URL.")
    return Finding("node in reach", OK, f"{url} is {name}, version {found.get('version')}")

"""`cronclave cluster backup|restore|recover`: copies of the whole state, and what becomes of one.

The files are judged and changed by `python -m node.backup` and `python -m node.restore`; here is the talking.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import node_names
from cli.examples import examples
from cli.exits import CONFLICT, Failure
from cli.instants import rfc3339
from cli.options import SPAN, reaching
from cli.output import facts
from cli.processes import module_answer
from cli.progress import bar, waiting
from durable.files import replace_file, sync_folder

CHUNK_BYTES = 1 << 20
LAG_UNKNOWN = "unknown"  #: of a node that has heard of no leader yet
MAKING_S = 600.0  #: a node copies its whole state before the first byte comes

_CONFIG = click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="The TOML file of the node that shall be the first of the new cluster.",
)  # fmt: skip
_HOLD = click.option(
    "--hold", type=SPAN, default="10m", show_default=True, metavar="DURATION",
    help="How long the agents may take to tell what they ran since.",
)  # fmt: skip
_CATCHUP = click.option(
    "--catchup", is_flag=True,
    help="Then let each job's catch-up policy decide what nobody reported. Without it that is missed.",
)  # fmt: skip
_NUMBER = click.option(
    "--number", type=click.IntRange(1, 4096), metavar="N",
    help="The restore number, where agents know a higher one already.  [default: one more]",
)  # fmt: skip


@click.command(
    "backup",
    epilog=examples(
        "cronclave cluster backup cronclave-2026-11-21.db",
        "cronclave cluster backup --verify cronclave-2026-11-21.db  # offline",
    ),
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--node", metavar="NODE", shell_complete=node_names,
    help="Which node makes it.  [default: a follower that is up to date]",
)  # fmt: skip
@click.option("--stale", is_flag=True, help="Take what a node last knew, also without a leader.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--verify", "only_verify", is_flag=True, help="Check a backup that is there; offline.")
@click.option("--no-checksum", is_flag=True, help="With --verify: go on without FILE.sha256.")
@reaching
def backup(
    reach: Callable[[], Client], file: Path, node: str | None, stale: bool, force: bool, only_verify: bool,
    no_checksum: bool,
) -> None:  # fmt: skip
    """Copy the whole state into FILE while the cluster works, and check the copy.

    FILE is an SQLite database that any tool opens; FILE.sha256 beside it is its checksum. FILE appears only
    when it is whole and sound. It holds tokens as hashes, and job definitions as they are.
    """
    if only_verify:
        with waiting(f"checking {file}"):
            manifest = _verify(file, *(["--no-checksum"] if no_checksum else []))
        _tell(file, manifest)
        return
    if file.exists() and not force:
        raise Failure(f"{file} exists already", code=CONFLICT, hint="Choose another name, or say --force.")
    with waiting("the node copies its state"):
        response = _request(_at(reach(), node, stale), stale)
    part = file.with_name(file.name + ".part")
    try:
        sha256 = response.getheader("X-Cronclave-Sha256", "")
        _download(response, part)
        with waiting("checking the copy"):
            manifest = _verify(part, "--sha256", sha256)
        beside = file.with_name(file.name + ".sha256")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()  # never a checksum of another file beside this one
        os.replace(part, file)
        sync_folder(file.absolute().parent)
        replace_file(beside.absolute(), f"{sha256}  {file.name}\n".encode())
    except OSError as error:
        raise Failure(f"{error.filename or file}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    _tell(file, manifest)
    lag = response.getheader("X-Cronclave-Lag-Ms")
    if lag is not None:
        known = "has heard of no leader since it started"
        if lag != LAG_UNKNOWN:
            known = f"heard of a leader {int(lag) / 1000:.1f} s before"
        click.echo(f"stale: {manifest['node']} {known}; later commits may be missing")


def _at(client: Client, node: str | None, stale: bool) -> Client:
    """The client of the node that shall make it."""
    view = client.get(path_of("cluster"))
    members = {member["node"]: member for member in [view, *view["peers"]]}
    if node is not None and node not in members:
        raise Failure(f"there is no node {node}", hint=f"Nodes: {', '.join(sorted(members))}.")
    if node is None:
        near = [
            p for p in view["peers"]
            if p["reachable"] and p.get("voter") and p.get("url") and p["node"] != view["leader"]
        ]  # fmt: skip
        if view["node"] != view["leader"] or stale or not near:
            return client  # it is a follower itself, or the only one there is
        node = max(near, key=lambda p: (p.get("match") or 0, p["node"]))["node"]
    url = members[node].get("url")
    return Client(client.target.at(url)) if url else client


def copied(client: Client, file: Path) -> None:
    """The state as it is now, for the caller alone. Raises Failure."""
    with waiting("the node copies its state"):
        response = _request(_at(client, None, stale=False), stale=False)
    _download(response, file)


def _request(client: Client, stale: bool) -> http.client.HTTPResponse:
    path = path_of("cluster", "backup", consistency="stale" if stale else None)
    return client.open("GET", path, headers={"Accept": "*/*"}, wait_s=MAKING_S)


def _download(response: http.client.HTTPResponse, part: Path) -> None:
    wanted = int(response.getheader("Content-Length") or -1)
    got = 0
    with part.open("wb") as out, bar(f"to {part.name}", wanted) as step:
        os.fchmod(out.fileno(), 0o600)
        try:
            while block := response.read(CHUNK_BYTES):
                out.write(block)
                got += len(block)
                step(len(block))
        except (http.client.HTTPException, ConnectionError) as error:
            raise Failure(
                f"the connection broke after {got} of {wanted} bytes: {error}", hint="Try again."
            ) from None
        out.flush()
        os.fsync(out.fileno())
    if got != wanted:
        raise Failure(f"only {got} of {wanted} bytes came", hint="Try again.")


def _verify(file: Path, *arguments: str) -> dict[str, Any]:
    manifest: dict[str, Any] = module_answer("node.backup", str(file), *arguments)
    return manifest


def _tell(file: Path, manifest: dict[str, Any]) -> None:
    click.echo(f"{file}: sound, {file.stat().st_size} bytes")
    facts(
        [
            ("cluster", manifest["cluster"]),
            ("restores", manifest["restores"]),
            ("index", manifest["index"]),
            ("up to", rfc3339(manifest["stamp_ms"])),
            (
                "made by",
                f"{manifest['node']} at {rfc3339(manifest['made_ms'])}, version {manifest['version']}",
            ),
            ("ledger", f"{manifest['ledger_seq']} entries, head {manifest['ledger_head'][:16]}"),
            ("state hash", manifest["state_hash"][:16]),
            ("format", manifest["format"]),
        ]
    )


@click.command(
    "restore",
    epilog="Example: cronclave cluster restore cronclave-2026-11-21.db --config /etc/cronclave/node.toml",
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_CONFIG
@_CATCHUP
@_HOLD
@_NUMBER
@click.option("--no-checksum", is_flag=True, help="Go on without FILE.sha256.")
def restore(
    file: Path, config: Path, catchup: bool, hold: float, number: int | None, no_checksum: bool
) -> None:  # fmt: skip
    """Make a backup the first node of a new cluster. The others join it.

    Agents of the old cluster that the new one reaches are fenced from the old one. What they ran since the
    backup is taken over; other ticks since then are missed, or caught up with --catchup.
    """
    more = ["--no-checksum"] if no_checksum else []
    with waiting(f"restoring {file}"):
        told = _arguments(config, catchup, hold, number)
        done = module_answer("node.restore", "restore", str(file), *told, *more)
    _tell_new(done)


@click.command("recover", epilog="Example: cronclave cluster recover --config /etc/cronclave/node.toml")
@_CONFIG
@_CATCHUP
@_HOLD
@_NUMBER
@click.option("--yes", is_flag=True, help="Do not ask.")
def recover(config: Path, catchup: bool, hold: float, number: int | None, yes: bool) -> None:
    """Make a one-node cluster of a survivor, when the majority is gone for good.

    Run it on the survivor's own machine, with its node stopped. Never while the others may come back: they
    would go on as the old cluster.
    """
    known = module_answer("node.restore", "recover", "--survey", "--config", str(config))
    facts(
        [
            ("node", f"{known['node']} of cluster {known['cluster']}, restore {known['restores']}"),
            ("state", f"index {known['index']}, up to {rfc3339(known['stamp_ms'])}, epoch {known['epoch']}"),
            ("other members", ", ".join(known["others"]) or "none"),
        ]
    )
    click.echo(
        "What only the others had acknowledged after this node last heard of them is lost. They must never"
        " run again on their old data: they would go on as the old cluster, without this node."
    )
    if not yes:
        if not sys.stdin.isatty():
            raise Failure("not done", hint="Say --yes.")
        click.confirm("Make a new cluster of this node alone?", abort=True)
    with waiting("making a cluster of this node"):
        done = module_answer("node.restore", "recover", *_arguments(config, catchup, hold, number))
    click.echo(
        f"{done['replayed']} log entries behind the state were applied; the old files are in {done['kept']}"
    )
    _tell_new(done)


def _arguments(config: Path, catchup: bool, hold: float, number: int | None) -> list[str]:
    found = ["--config", str(config), "--hold-s", str(hold)]
    found += ["--catchup"] if catchup else []
    return found + (["--number", str(number)] if number is not None else [])


def _tell_new(done: dict[str, Any]) -> None:
    facts(
        [
            ("cluster", f"{done['cluster']} (before: {done['former']})"),
            ("restores", done["restores"]),
            ("index", f"{done['index']} (before: {done['backup_index']})"),
            ("data", done["data"]),
        ]
    )
    if done["rewritten"]:
        click.echo(f"the new uid is in {done['config']}; the file as it was is beside it")
    if done["tls"] and done["rewritten"]:
        click.echo(
            "its certificate names the old cluster. Where the CA is kept: cronclave cluster cert renew"
            f" DIRECTORY --node {done['node']} --cluster {done['cluster']}; then copy its tls/ folder here"
        )
    then = "each job's catch-up policy decides about the rest"
    if not done["catchup"]:
        then = "those that nobody ran are then missed(restored)"
    click.echo(
        f"ticks since {rfc3339(done['stamp_ms'])} wait up to {done['hold_ms'] / 1000:g} s for the agents'"
        f" journals; {then}"
    )
    click.echo(f"start it with: cronclave node --config {done['config']}")
    click.echo("then, on each other machine, with an empty directory: cronclave cluster join")

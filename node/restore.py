"""`python -m node.restore restore|recover`: a data directory becomes the first node of a new cluster.

Rules:

1. Everything is made in a new directory beside the data directory and takes its place by one rename, so a
   crash leaves what was there before. `recover` keeps the old directory under another name. (Where the data
   directory is a mount point: within it, and by a rename for each entry.)
2. The new cluster has a new uid and a higher restore number. The uid is the configuration's, if that is
   another than the old one; else a new one is made and written into the configuration, last of all: until
   then the identity in the directory and the configuration differ, and the node refuses to start.
3. The node is the only member; the others join it (`cronclave cluster join`) with empty directories. A uid
   that other founders have in their configurations too is not taken: they would found an empty cluster
   under it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.journal import JournalError
from cluster.machine import Position
from cluster.membership import Member
from cluster.renewal import begin, member_names, replay, sole_member
from durable.files import replace_file
from node.backup import verify
from node.config import ConfigError, NodeConfig, load_config
from node.identity import JOURNAL, PRIVATE, STARTED, Identity, load_identity, lock_data, write_identity
from node.state import FILE, ReplicatedState
from scheduler.backup import BackupError
from scheduler.machine.renewal import Renewal, renew
from scheduler.store import soundness
from scheduler.store import state as state_rows
from scheduler.store.connection import Error, Store, StoreError, sync

HOLD_S = 600
_NO_DATA = ("lock", "lost+found", "restoring", "recovering")  #: what may lie in an empty data directory
_CLUSTER_LINE = re.compile(r'^(\s*cluster\s*=\s*)(["\'])([^"\']*)\2', re.MULTILINE)


class RestoreError(Exception):
    """Why nothing was restored. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asks for."""

    kind: str  #: restore | recover
    hold_ms: int
    catchup: bool
    number: int | None  #: the restore number; None: one more than the state's


def restore(backup: Path, config_path: Path, wishes: Wishes, *, unsummed: bool = False) -> dict[str, object]:
    """Make the first node of a new cluster from a backup; returns what it now is. Raises RestoreError."""
    config = _load(config_path)
    found = [e.name for e in config.data.iterdir()] if config.data.is_dir() else []
    free = _NO_DATA if os.path.ismount(config.data) else ("lock",)
    occupied = [name for name in found if name not in free]
    if occupied:
        raise RestoreError(
            f"{config.data}: not empty ({', '.join(sorted(occupied)[:5])}): a restore makes a new node. Move"
            " the directory away, or name another in node.data"
        )
    try:
        manifest = verify(backup, unsummed=unsummed)
    except BackupError as error:
        raise RestoreError(str(error)) from None
    founders = sorted(name for name in config.members if name != config.name)
    if founders and not config.join and config.cluster != manifest.cluster:
        raise RestoreError(
            f"{config_path}: cluster {config.cluster} has other founders, {', '.join(founders)}, which would"
            " found an empty cluster under the same uid beside what is restored here. Lay out a cluster of"
            " this one node (cronclave cluster init, with one --node) and restore with its configuration; the"
            " others join it"
        )

    def fill(directory: Path) -> int:
        shutil.copyfile(backup, directory / FILE)
        return 0

    new = _beside(config.data, "restoring")
    facts = _make(new, fill, config, config_path, wishes)
    try:
        _put_in_place(new, config.data)
        _write_uid(config_path, config, str(facts["cluster"]))
    except OSError as error:
        raise RestoreError(f"{error}: what was made is in {new} or {config.data}") from error
    return facts


def recover(config_path: Path, wishes: Wishes) -> dict[str, object]:
    """Make a one-node cluster of a survivor's own directory. Raises RestoreError."""
    config = _load(config_path)
    if not (config.data / "identity.json").is_file():
        raise RestoreError(f"{config.data}: no node ever ran here; restore a backup instead")
    lock = _lock(config)
    try:
        load_identity(config)
        state = _live_state(config.data)
        if found := soundness.problems(state):
            raise RestoreError(
                f"{state}: damaged ({'; '.join(found)}): recover from another survivor, or restore a backup"
            )
        kept = _free_name(_beside(config.data, "before-recover"))

        def fill(directory: Path) -> int:
            return _survivor(config, state, directory)

        new = _beside(config.data, "recovering")
        facts = _make(new, fill, config, config_path, wishes)
        _put_aside(config.data, kept)
        _put_in_place(new, config.data)
        _write_uid(config_path, config, str(facts["cluster"]))
    except (ConfigError, OSError) as error:
        raise RestoreError(str(error)) from error
    finally:
        os.close(lock)
    return {**facts, "kept": str(kept)}


# -- parts ----------------------------------------------------------------------------------------


def _load(config_path: Path) -> NodeConfig:
    try:
        return load_config(config_path)
    except ConfigError as error:
        raise RestoreError(str(error)) from error


def _lock(config: NodeConfig) -> int:
    try:
        return lock_data(config.data)
    except ConfigError as error:
        raise RestoreError(f"{error}: cronclave cluster recover works on a node that is stopped") from error


def _live_state(data: Path) -> Path:
    pointer = data / "state" / "CURRENT"
    try:
        path = data / "state" / pointer.read_text().strip() / FILE
    except OSError as error:
        raise RestoreError(f"{pointer}: {error.strerror}: this node has no state") from error
    if not path.is_file():
        raise RestoreError(f"{path}: missing: this node has no state")
    return path


def _survey(config: NodeConfig, path: Path) -> dict[str, object]:
    """What this node's files know, read only."""
    try:
        store = Store.open_reader(path, query_ms_max=None)
        try:
            state = state_rows.load(store)
        finally:
            store.close()
    except Error as error:
        raise RestoreError(f"{path}: SQLite cannot read it: {error}; restore a backup instead") from error
    others = [name for name in member_names(state.members) if name != config.name] if state.members else []
    return {
        "node": config.name, "cluster": state.cluster, "restores": state.restores, "index": state.idx,
        "stamp_ms": state.stamp_ms, "others": others, "leader": state.leader, "epoch": state.epoch,
    }  # fmt: skip


def _survivor(config: NodeConfig, path: Path, directory: Path) -> int:
    """The survivor's state with all that its log holds behind it; returns how many entries that were."""
    data = directory / "replay"
    generation = data / "state" / "1"
    generation.mkdir(parents=True, mode=0o700)
    replace_file(data / "state" / "CURRENT", b"1")
    reader = Store.open_reader(path, query_ms_max=None)
    try:
        reader.copy_to(generation / FILE)
    finally:
        reader.close()
    shutil.copytree(config.data / JOURNAL, data / JOURNAL)
    # No helper thread: one that still looks at the file would keep whoever opens it next, alone, from it.
    state = ReplicatedState(
        data, config.cluster, lambda entry: None, lambda new: None, spawn=lambda work: work()
    )
    try:
        count = replay(data / JOURNAL, state)
        state.checkpoint()
    finally:
        state.close()
    os.replace(generation / FILE, directory / FILE)
    shutil.rmtree(data)
    return count


def _make(
    new: Path, fill: Callable[[Path], int], config: NodeConfig, config_path: Path, wishes: Wishes
) -> dict[str, object]:
    """A whole data directory at `new`. `fill` puts the old state at `new`/state.db; what it returns is told
    as `replayed`."""
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    try:
        replayed = fill(new)
        store = Store.open_alone(new / FILE)
        try:
            state = state_rows.load(store)
            cluster = _new_uid(config, config_path, state.cluster)
            uid = secrets.token_hex(8)
            member = Member(config.name, str(config.raft_address), config.zone, config.url, uid, True)
            number = state.restores + 1 if wishes.number is None else wishes.number
            row = renew(
                store,
                Renewal(
                    wishes.kind, cluster, number, wishes.hold_ms, wishes.catchup,
                    sole_member(member, stamp_ms=state.stamp_ms),
                ),
            )  # fmt: skip
            index = state_rows.load(store).idx
        finally:
            store.close()
        generation = new / "state" / "1"
        generation.mkdir(parents=True, mode=0o700)
        os.replace(new / FILE, generation / FILE)
        sync(generation / FILE)
        sync(generation)
        replace_file(new / "state" / "CURRENT", b"1")
        begin(new / JOURNAL, Position(state.raft_index, state.raft_term))
        replace_file(new / STARTED, b"")
        write_identity(new / "identity.json", Identity(uid, cluster, config.name))
    except (ValueError, StoreError, JournalError, Error, OSError) as error:
        shutil.rmtree(new, ignore_errors=True)
        raise RestoreError(str(error)) from error
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return {
        "kind": wishes.kind, "node": config.name, "data": str(config.data), "cluster": cluster,
        "former": row.former, "lineage": row.lineage, "restores": row.number, "backup_index": row.idx,
        "index": index, "stamp_ms": row.stamp_ms, "hold_ms": row.hold_ms, "catchup": bool(row.catchup),
        "replayed": replayed, "config": str(config_path), "rewritten": cluster != config.cluster,
        "tls": config.tls is not None,
    }  # fmt: skip


def _new_uid(config: NodeConfig, config_path: Path, former: str) -> str:
    """The new cluster's uid; one that has to be written must be writable."""
    if config.cluster != former:
        return config.cluster
    if [value for _, _, value in _CLUSTER_LINE.findall(_top(config_path.read_text()))] != [former]:
        raise RestoreError(
            f'{config_path}: the line cluster = "{former}" was not found as such. Write a new uid there by'
            " hand (32 hexadecimal digits) and try again"
        )
    return secrets.token_hex(16)


def _top(text: str) -> str:
    """The part of a TOML file before its first table."""
    table = re.search(r"^\s*\[", text, re.MULTILINE)
    return text if table is None else text[: table.start()]


def _write_uid(config_path: Path, config: NodeConfig, cluster: str) -> None:
    if cluster == config.cluster:
        return
    text = config_path.read_text()
    top = _top(text)
    shutil.copy2(config_path, _free_name(config_path.with_name(f"{config_path.name}.before-restore")))
    changed = _CLUSTER_LINE.sub(rf"\g<1>\g<2>{cluster}\g<2>", top) + text[len(top) :]
    replace_file(config_path, changed.encode(), mode=None)


def _beside(data: Path, word: str) -> Path:
    """A directory on the same file system: within one that is a mount point, else beside it."""
    return data / word if os.path.ismount(data) else data.with_name(f"{data.name}.{word}")


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return found


def _put_aside(data: Path, kept: Path) -> None:
    if kept.parent != data:
        os.replace(data, kept)
        return
    kept.mkdir(mode=0o700)
    for entry in sorted(data.iterdir()):
        if entry.name not in _NO_DATA and not entry.name.startswith("before-recover"):
            os.replace(entry, kept / entry.name)


def _put_in_place(new: Path, data: Path) -> None:
    """One rename; on a mount point one for each entry, the identity last: without it the node that the state
    knows is another, and a start is refused."""
    if new.parent != data:
        if data.is_dir():
            (data / "lock").unlink(missing_ok=True)
            data.rmdir()
        os.replace(new, data)
    else:
        for entry in sorted(new.iterdir(), key=lambda entry: entry.name == "identity.json"):
            os.replace(entry, data / entry.name)
        new.rmdir()
        sync(data)
    sync(data.parent)


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave cluster")
    parser.add_argument("kind", choices=("restore", "recover"))
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--hold-s", type=float, default=HOLD_S)
    parser.add_argument("--catchup", action="store_true")
    parser.add_argument("--number", type=int)
    parser.add_argument("--no-checksum", action="store_true")
    parser.add_argument("--survey", action="store_true", help="recover: say what is known, change nothing")
    arguments = parser.parse_args()
    os.umask(PRIVATE)
    wishes = Wishes(arguments.kind, int(arguments.hold_s * 1000), arguments.catchup, arguments.number)
    try:
        if arguments.kind == "restore":
            if arguments.file is None:
                parser.error("restore needs a file")
            facts = restore(arguments.file, arguments.config, wishes, unsummed=arguments.no_checksum)
        elif arguments.survey:
            facts = survey(arguments.config)
        else:
            facts = recover(arguments.config, wishes)
    except RestoreError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(facts))
    return 0


def survey(config_path: Path) -> dict[str, object]:
    """What a survivor's files know; changes nothing. Raises RestoreError."""
    config = _load(config_path)
    if not (config.data / "identity.json").is_file():
        raise RestoreError(f"{config.data}: no node ever ran here; restore a backup instead")
    os.close(_lock(config))
    return _survey(config, _live_state(config.data))


if __name__ == "__main__":
    sys.exit(main())

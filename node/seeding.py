"""`python -m node.seeding --config NODE.toml …`: data directories with a large inventory and its history.

For benchmarks and tests that need what months would make. Rules:

1. Every row is made by the machine, from commands, as consensus drives it; only the size of the entries and
   the missing syncs differ. So sizes, indices, hashes and the ledger are those of the real thing, and
   `verify` finds them right.
2. All nodes get the same state, and an empty journal that continues behind it: what a node has that has just
   compacted its log. A directory that holds a state or a journal is refused.
3. The jobs are due on the 29th of February; their ticks are those of the last leap years, all decided, so
   nothing falls due while somebody measures.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cluster.disk import FileDisk
from cluster.journal import Journal
from cluster.machine import Applied, Entry, Position
from cluster.membership import Membership
from cluster.restore import pack_members
from cluster.settings import Founder
from node.config import ConfigError, NodeConfig, load_config
from node.identity import JOURNAL
from node.state import ReplicatedState
from scheduler.model import Job, parse_job, prepare
from scheduler.ticks import tzdata_version
from scheduler.words import codec
from scheduler.words.commands import (
    Command,
    ConnectAgent,
    DisconnectAgent,
    Finish,
    Fire,
    Grant,
    Lead,
    PutJobs,
)

BATCH = 500  #: jobs a command, ticks an entry
TERM = 1
NODE = "seeding"
LEAP_YEARS = tuple(range(1972, 2025, 4))
RUNS_A_JOB_MAX = len(LEAP_YEARS)
TAIL_BYTES_MAX = 2_048


class Seeder:
    """Applies commands to a new state as entries of a log that nobody keeps."""

    def __init__(self, state: ReplicatedState, members: bytes) -> None:
        self._state = state
        self._members = members
        self._position = Position(1, 0)
        self._sequence = 0

    def apply(self, commands: Sequence[Command]) -> None:
        """One entry. Raises ValueError when a command is refused: then the seeding is wrong."""
        self._sequence += 1
        stamp_ms = int(time.time() * 1000)
        frame = codec.Frame(
            NODE, self._sequence, self._sequence, tuple(codec.encode_command(c) for c in commands)
        )
        position = Position(self._position.index + 1, TERM)
        applied = Applied(position, self._position, pack_members(self._members, stamp_ms))
        self._state.apply(Entry(applied, stamp_ms, [codec.encode_frame(frame)]))
        self._position = position

    def fill(self, *, jobs: int, runs_a_job: int, tail: bytes) -> Iterator[int]:
        """Yields the number of runs so far, after each batch of jobs."""
        machine, session = self._state.machine, "seeded"
        self.apply([Lead(NODE, "", TERM, tzdata_version())])
        self.apply(
            [
                ConnectAgent(
                    "seeded", "seeded", session, "boot", "", "default", b"{}", BATCH, "0", NODE, ("shell",)
                )
            ]
        )
        agent = machine.state.last_agent
        years = LEAP_YEARS[len(LEAP_YEARS) - runs_a_job :]
        after_ms = _leap_ms(LEAP_YEARS[-1] if not years else years[0] - 4, 0) + 86_400_000
        for first in range(0, jobs, BATCH):
            batch = range(first, min(first + BATCH, jobs))
            trigger = machine.state.last_trigger + 1 - first
            self.apply([PutJobs(tuple(prepare(_job(i), after_ms) for i in batch), after_ms)])
            for year in years:
                attempt = machine.state.last_attempt + 1
                ended = range(attempt, attempt + len(batch))
                self.apply(
                    [Fire(1, trigger + i, _leap_ms(year, i), _leap_ms(year + 4, i), agent) for i in batch]
                )
                if machine.state.last_attempt != ended[-1]:
                    raise ValueError("a tick was refused, or its run got no attempt")
                self.apply([Grant(i, agent, session, f"claim-{i}") for i in ended])
                now_ms = machine.state.stamp_ms
                self.apply([Finish(i, agent, now_ms, now_ms + 5, 0, "exit", tail=tail) for i in ended])
            yield batch.stop * runs_a_job
        self.apply([DisconnectAgent(agent, session, NODE)])


def _job(number: int) -> Job:
    return parse_job(
        {
            "job": f"seeded-{number}",
            "labels": {"team": f"team-{number % 50}"},
            "triggers": {"cron": f"{number % 60} {number // 60 % 24} 29 2 *"},
            "run": f"/usr/local/bin/report --customer {number}",
        }
    )


def _leap_ms(year: int, number: int) -> int:
    """The job's instant in a leap year."""
    at = datetime(year, 2, 29, number // 60 % 24, number % 60, tzinfo=UTC)
    return int(at.timestamp()) * 1000


def seed_nodes(configs: Sequence[NodeConfig], *, jobs: int, runs: int, tail_bytes: int = 0) -> int:
    """Make the state in the first node's directory and copy it to the others. Returns its size in bytes.

    Raises ConfigError for a directory that is in use, or numbers that cannot be."""
    if runs % jobs or runs > jobs * RUNS_A_JOB_MAX:
        raise ConfigError(f"--runs {runs}: 0 to {RUNS_A_JOB_MAX} for each of the {jobs} jobs")
    if not 0 <= tail_bytes <= TAIL_BYTES_MAX:
        raise ConfigError(f"--tail-bytes {tail_bytes}: 0 to {TAIL_BYTES_MAX}")
    for config in configs:
        if (config.data / "state").exists() or (config.data / JOURNAL).exists():
            raise ConfigError(f"{config.data}: it holds a node's state; seed empty directories only")
    first = configs[0]
    founders = [Founder(m.name, str(m.raft), m.zone, m.url) for m in first.members.values()]
    # No helper thread: one that still had the file open would keep the log beside it, and copies lack it.
    state = ReplicatedState(
        first.data, first.cluster, lambda entry: None, lambda path: None, spawn=lambda work: work()
    )
    # A half made directory is thrown away: nothing here needs to survive a loss of power before the end.
    state.machine.store.execute("PRAGMA synchronous=OFF")
    tail = (b"seeded output " * (tail_bytes // 14 + 1))[:tail_bytes]
    started_s = time.monotonic()
    seeder = Seeder(state, Membership.founded(founders).encode())
    for done in seeder.fill(jobs=jobs, runs_a_job=runs // jobs, tail=tail):
        print(f"\r{done:,} runs, {time.monotonic() - started_s:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    stored = state.stored()
    assert stored is not None
    path = state.path
    state.close()  # moves the write-ahead log into the file
    for config in configs:
        if config is not first:
            _copy_state(path, config.data / path.relative_to(first.data))
        journal = Journal(FileDisk(config.data / JOURNAL))
        journal.reset(stored.position.index, stored.position.term)
        journal.close()
    return path.stat().st_size


def _copy_state(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, mode=0o700)
    shutil.copyfile(source, target)
    shutil.copyfile(source.parent.parent / "CURRENT", target.parent.parent / "CURRENT")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m node.seeding", description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, action="append", required=True, help="of each node")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1_000_000, help="finished ones, the same number a job")
    parser.add_argument("--tail-bytes", type=int, default=0, help="of output kept with each run")
    arguments = parser.parse_args()
    try:
        size = seed_nodes(
            [load_config(path) for path in arguments.config],
            jobs=arguments.jobs,
            runs=arguments.runs,
            tail_bytes=arguments.tail_bytes,
        )
    except ConfigError as error:
        print(f"node.seeding: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.jobs:,} jobs, {arguments.runs:,} runs: {size:,} bytes a node")
    return 0


if __name__ == "__main__":
    sys.exit(main())

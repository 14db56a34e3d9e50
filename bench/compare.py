"""`python -m bench compare --against REV`: this code beside another revision, in one sitting on one machine.

Rules of this file:

1. Builds take turns, a pair a round: whatever the machine does meanwhile happens to both. The one that begins
   changes from round to round.
2. The figure is CPU per operation, summed over all processes of the product and told by kind: on a noisy
   machine wall time says little. The ratio is that of a pair; of several the median, with the least and most.
3. An operation counts when it was answered as done, a tick when its run succeeded.
4. Both builds get the same requests from the same generator, which is no part of either.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import bulk, failover, load, machine, submit
from bench.builds import HERE, Build, UnknownRevisionError, check_out
from bench.client import UnansweredError
from bench.cluster import Cluster, DeadlineError, running, wait_for
from bench.evidence import milliseconds
from bench.jobs import NOOP, RUNS_KEPT, TRUE, every_second, spread_offset
from bench.traffic import closed_loop, request

CLIENTS = 16
TICKING = 100  #: every-second no-op jobs
PROCESSES = 50  #: every-second jobs that start a process
KILLS = 5
WARM_UP_S = 2.0
SETTLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one build took in one round: CPU per operation by kind of process, or milliseconds."""

    each: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.each.values())


class Spending:
    """CPU that a cluster took from here to `end`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._before = cluster.cpu_seconds()
        self._after: dict[str, float] = {}

    def end(self) -> None:
        self._after = self._cluster.cpu_seconds()

    def per(self, operations: float) -> Sample:
        """Milliseconds per operation. Raises DeadlineError where nothing was done."""
        if operations <= 0:
            raise DeadlineError("nothing was done that could be measured")
        return Sample(
            {role: 1000 * (s - self._before.get(role, 0.0)) / operations for role, s in self._after.items()}
        )


def idle(cluster: Cluster, duration_s: float) -> Sample:
    spending, began_s = Spending(cluster), time.monotonic()
    time.sleep(duration_s)
    spending.end()
    return spending.per(time.monotonic() - began_s)


def manual(cluster: Cluster, duration_s: float) -> Sample:
    jobs = [f"manual-{i}" for i in range(CLIENTS)]
    policies = {"overlap": "allow", "retention": {"runs": RUNS_KEPT}}
    cluster.client.apply([{"job": name, "policies": policies, **NOOP} for name in jobs])

    def make(url: str, number: int) -> bytes:
        return request("POST", url, f"/v1/jobs/{jobs[number % len(jobs)]}/runs", cluster.token, b"{}")

    spending = Spending(cluster)
    accepted = closed_loop(cluster.client.urls, CLIENTS, duration_s, make).accepted
    _settle(cluster)
    spending.end()
    return spending.per(accepted)


def put(cluster: Cluster, duration_s: float) -> Sample:
    spending = Spending(cluster)
    accepted = submit.measure(cluster, clients=CLIENTS, duration_s=duration_s).accepted
    spending.end()
    return spending.per(accepted)


def in_bulk(cluster: Cluster, duration_s: float) -> Sample:
    spending = Spending(cluster)
    accepted = bulk.measure(cluster, jobs=None, duration_s=duration_s).accepted
    spending.end()
    return spending.per(accepted * bulk.SLICE)


def noop_ticks(cluster: Cluster, duration_s: float) -> Sample:
    return _ticks(cluster, duration_s, TICKING, NOOP)


def process_ticks(cluster: Cluster, duration_s: float) -> Sample:
    return _ticks(cluster, duration_s, PROCESSES, TRUE)


def killed(cluster: Cluster, _: float) -> Sample:
    """Leaders killed under 200 no-op ticks a second: the median time to the next start."""
    losses = failover.lose_leaders(cluster, kills=KILLS, stops=0, noop_jobs=200, shell_jobs=20)
    if losses.problems or not losses.killed:
        raise DeadlineError("; ".join(losses.problems))
    return Sample({"to the next start": statistics.median(each.started_ms for each in losses.killed)})


def _ticks(cluster: Cluster, duration_s: float, jobs: int, work: dict[str, Any]) -> Sample:
    made = [every_second(f"tick-{i}", work, offset_ms=spread_offset(i, jobs)) for i in range(jobs)]
    cluster.client.apply([job for job, _ in made])
    time.sleep(WARM_UP_S)
    from_ms, spending = int(time.time() * 1000), Spending(cluster)
    time.sleep(duration_s)
    until_ms = int(time.time() * 1000)
    spending.end()
    runs = [
        run
        for run in load.recorded(cluster, from_ms - 5_000)
        if run["due"] and from_ms < milliseconds(run["due"]) <= until_ms
    ]
    return spending.per(sum(1 for run in runs if run["state"] == "succeeded"))


def _settle(cluster: Cluster) -> None:
    def ended() -> bool:
        return not any(
            next(iter(cluster.client.items("/v1/runs", {"state": state})), None)
            for state in failover.UNFINISHED
        )

    with suppress(DeadlineError):  # what has not ended by then took no CPU for its end
        wait_for(ended, SETTLE_S, "every accepted run ended", 0.5)


ROWS: dict[str, tuple[str, Callable[[Cluster, float], Sample]]] = {
    "idle": ("idle, CPU ms a second", idle),
    "manual": (f"a manual run, {CLIENTS} clients, CPU ms", manual),
    "put": (f"a PUT of a new job, {CLIENTS} clients, CPU ms", put),
    "bulk": ("a job in bulk, CPU ms", in_bulk),
    "tick": (f"a no-op tick, {TICKING}/s, CPU ms", noop_ticks),
    "process": (f"a tick of a process, {PROCESSES}/s, CPU ms", process_ticks),
    "killed": (f"leader killed, {KILLS} times: ms to the next start", killed),
}


def compare(
    builds: tuple[Build, Build], rows: Sequence[str], *, pairs: int, duration_s: float, data: Path | None
) -> tuple[dict[str, list[tuple[Sample, Sample]]], list[str]]:
    """For each row its pairs of samples (the first build's, the second's), and what broke off."""
    found: dict[str, list[tuple[Sample, Sample]]] = {name: [] for name in rows}
    broken: list[str] = []
    for pair in range(pairs):
        for name in rows:
            order = builds if pair % 2 == 0 else builds[::-1]
            samples: dict[str, Sample] = {}
            try:
                for build in order:
                    with running(slots=4_000, parent=data, build=build) as cluster:
                        samples[build.name] = ROWS[name][1](cluster, duration_s)
            except (DeadlineError, UnansweredError) as error:
                broken.append(f"pair {pair + 1}, {name}: {error}")
                continue
            first, second = (samples[build.name] for build in builds)
            found[name].append((first, second))
            told = f"{first.total:.3f} → {second.total:.3f}"
            print(f"pair {pair + 1}, {name}: {told}", file=sys.stderr, flush=True)
    return found, broken


def table(builds: tuple[Build, Build], found: dict[str, list[tuple[Sample, Sample]]]) -> str:
    """Medians, with the least and the most of the ratios."""
    lines = [
        f"| what | {builds[0].name} | {builds[1].name} | ratio | by kind of process |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, pairs in found.items():
        if not pairs:
            continue
        before, after = ([pair[side].total for pair in pairs] for side in (0, 1))
        ratios = [second / first for first, second in zip(before, after, strict=True)]
        kinds = sorted({kind for pair in pairs for sample in pair for kind in sample.each})
        each = ", ".join(
            f"{kind} {_median(pairs, 0, kind):.3g} → {_median(pairs, 1, kind):.3g}" for kind in kinds
        )
        lines.append(
            f"| {ROWS[name][0]} | {statistics.median(before):.3g} | {statistics.median(after):.3g}"
            f" | × {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {each} |"
        )
    return "\n".join(lines)


def _median(pairs: Sequence[tuple[Sample, Sample]], side: int, kind: str) -> float:
    return statistics.median(pair[side].each.get(kind, 0.0) for pair in pairs)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__.partition("\n")[0])
    kinds = f"of {', '.join(ROWS)}; default all"
    made.add_argument("only", nargs="*", choices=[*ROWS, []], metavar="KIND", help=kinds)
    made.add_argument("--against", required=True, metavar="REV", help="a revision that git knows")
    made.add_argument("--pairs", type=int, default=5, metavar="N", help="rounds, each with both builds")
    made.add_argument("--duration", type=float, default=8.0, metavar="S", help="of each load")
    made.add_argument("--data", type=Path, metavar="DIR", help="where the clusters live")
    return made


def main(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cronclave-bench-", dir=asked.data) as directory:
        try:
            builds = (check_out(asked.against, Path(directory)), HERE)
        except UnknownRevisionError as error:
            print(f"--against {asked.against}: {error}", file=sys.stderr)
            return 2
        found, broken = compare(
            builds, asked.only or list(ROWS), pairs=asked.pairs, duration_s=asked.duration, data=asked.data
        )
    for fact in machine.facts(asked.data):
        print(f"- {fact}")
    print(f"- {asked.pairs} pairs, each load {asked.duration:g} s\n\n{table(builds, found)}")
    for text in broken:
        print(f"- broke off: {text}")
    return 1 if broken else 0

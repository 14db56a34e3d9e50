"""`python -m bench [ONLY…] [--duration S]`: run benchmarks, print machine facts and one Markdown table.

`python -m bench compare --against REV`: this code beside another revision (bench/compare.py)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    agents,
    bulk,
    cold_start,
    compaction,
    compare,
    failover,
    inventory,
    load,
    machine,
    manual,
    members,
    restart,
    rolling,
    simulation,
    staged,
    submit,
    workflows,
)
from bench.client import UnansweredError
from bench.cluster import DeadlineError
from bench.options import Options
from bench.rows import NONE, Result, Row, markdown

BENCHMARKS: dict[str, Callable[[Options], Result]] = {
    "failover": failover.run,
    "load": load.run,
    "manual": manual.run,
    "submit": submit.run,
    "bulk": bulk.run,
    "staged": staged.run,
    "inventory": inventory.run,
    "cold-start": cold_start.run,
    "restart": restart.run,
    "compaction": compaction.run,
    "rolling": rolling.run,
    "workflows": workflows.run,
    "members": members.run,
    "simulation": simulation.run,
    "agents": agents.run,
}


def options_of(arguments: argparse.Namespace) -> Options:
    return Options(
        duration_s=arguments.duration,
        data=arguments.data,
        ports=(arguments.base_port, arguments.base_port + 1000),
        clients=arguments.clients,
        kills=arguments.kills,
        stops=arguments.stops,
        inventory=arguments.inventory,
        staged=arguments.staged,
        starts=arguments.starts,
        noop_jobs=arguments.noop_jobs,
        process_jobs=arguments.process_jobs,
        restart_jobs=arguments.restart_jobs,
        history=arguments.history,
        rolling_jobs=arguments.rolling_jobs,
        steps=arguments.steps,
        agents=arguments.agents,
        held=arguments.held,
        ping_ms=arguments.ping_ms,
    )


def parser() -> argparse.ArgumentParser:
    defaults = Options()
    made = argparse.ArgumentParser(prog="python -m bench", description="Cronclave's benchmarks.")
    made.add_argument(
        "only", nargs="*", choices=[*BENCHMARKS, []], help=f"of {', '.join(BENCHMARKS)}; default all"
    )
    made.add_argument("--duration", type=float, default=defaults.duration_s, metavar="S", help="of each load")
    made.add_argument(
        "--data", type=Path, metavar="DIR", help="where the clusters live; default the temporary directory"
    )
    made.add_argument("--base-port", type=int, default=defaults.ports[0])
    made.add_argument("--clients", type=int, default=defaults.clients)
    made.add_argument("--kills", type=int, default=defaults.kills, help="failover: leaders killed")
    made.add_argument("--stops", type=int, default=defaults.stops, help="failover: leaders stopped")
    made.add_argument(
        "--inventory", type=int, default=defaults.inventory, help="jobs; 1000000 for the full form"
    )
    made.add_argument("--staged", type=int, default=defaults.staged, help="staged: jobs applied as one act")
    made.add_argument("--starts", type=int, default=defaults.starts, help="cold-start: how many")
    made.add_argument(
        "--noop-jobs", type=int, default=defaults.noop_jobs, help="load: every-second no-op jobs"
    )
    made.add_argument(
        "--process-jobs", type=int, default=defaults.process_jobs, help="load: every-second processes"
    )
    made.add_argument("--restart-jobs", type=int, default=defaults.restart_jobs)
    made.add_argument("--history", type=int, default=defaults.history, help="compaction: finished runs")
    made.add_argument("--rolling-jobs", type=int, default=defaults.rolling_jobs)
    made.add_argument("--steps", type=int, default=defaults.steps, help="workflows, members: of each kind")
    made.add_argument("--agents", type=int, default=defaults.agents, help="members: in the crowd")
    made.add_argument("--held", type=int, default=defaults.held, help="agents: in the crowd")
    made.add_argument("--ping-ms", type=int, default=defaults.ping_ms, help="agents: from ping to ping")
    return made


def main() -> int:
    if sys.argv[1:2] == ["compare"]:
        return compare.main(sys.argv[2:])
    arguments = parser().parse_args()
    options = options_of(arguments)
    rows: list[Row] = []
    notes: list[str] = []
    broken = 0
    for name in arguments.only or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        started_s = time.monotonic()
        try:
            result = BENCHMARKS[name](options)
        except (DeadlineError, UnansweredError) as error:
            broken += 1
            rows.append(Row(name, NONE, f"broke off: {error}", met=False))
            continue
        rows += result.rows
        notes += [f"{name}: {note}" for note in result.notes]
        print(
            f"{markdown(result.rows)}\n({time.monotonic() - started_s:.0f} s)\n", file=sys.stderr, flush=True
        )
    for fact in machine.facts(options.data):
        print(f"- {fact}")
    print(f"\n{markdown(rows)}\n")
    for note in notes:
        print(f"- {note}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

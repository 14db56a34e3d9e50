"""The command `cronclave dev`."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import click

from cli.dev.admission import is_admitted
from cli.dev.children import Child, become_subreaper, keep_private, stop_with_parent
from cli.dev.clocks import Clocks
from cli.dev.demonstration import Demonstration, Server
from cli.dev.facts import Facts
from cli.dev.layout import (
    AGENTS_DEFAULT,
    BASE_PORT_DEFAULT,
    NODES_DEFAULT,
    NodePlan,
    open_identity,
    plan_agents,
    plan_nodes,
    taken_ports,
    write_configurations,
)
from cli.dev.opening import Opening
from cli.dev.pools import AGENTS_MAX, PoolSize, one_of_each
from cli.dev.supervisor import Supervisor
from cli.examples import examples
from cli.exits import CONFLICT, Failure
from cli.output import counted

PORTS_S = 5.0


@click.command(
    "dev",
    epilog=examples(
        "cronclave dev --nodes 5 --agents 3 --base-port 9000 --data /tmp/try --no-browser",
        "cronclave dev --agents web=5 --agents db=3 --data /tmp/site",
    ),
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 9),
    help=f"Nodes, each in a zone of its own.  [default: {NODES_DEFAULT}]",
)
@click.option(
    "--agents", type=PoolSize(), multiple=True, default=[str(AGENTS_DEFAULT)], callback=one_of_each,
    help=f"So many, {AGENTS_MAX} at most; or so many of a pool, once for each.  [default: {AGENTS_DEFAULT}]",
)  # fmt: skip
@click.option(
    "--base-port", type=click.IntRange(1024, 65_534),
    help=f"Node i, from 0, serves HTTP on this + 10·i, Raft on the next.  [default: {BASE_PORT_DEFAULT}]",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), default=Path(".cronclave"), show_default=True,
    metavar="DIR", help="Where the cluster lives. Starting again on it continues that cluster.",
)  # fmt: skip
@click.option(
    "--slots", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Slots of each agent."
)
@click.option("--no-browser", is_flag=True, help="Do not open the cockpit.")
@click.option(
    "--no-restart", is_flag=True, help="Leave a dead node or agent dead (else it comes back after 2 s)."
)
@click.option("--no-jobs", is_flag=True, help="No sample jobs.")
@click.option("--with-parent", is_flag=True, help="Stop when the process that started this ends.")
def dev(
    nodes: int | None,
    agents: dict[str, int],
    base_port: int | None,
    data: Path,
    slots: int,
    no_browser: bool,
    no_restart: bool,
    no_jobs: bool,
    with_parent: bool,
) -> None:
    """A whole cluster on this machine: three nodes in three zones, two agents, sample jobs, cockpit.

    Real processes, real consensus: kill some and watch. DIR/dev.json says where everything is; Ctrl-C stops
    it all.
    """
    umask = keep_private()
    directory = data.absolute()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "dev.lock").open("a+") as lock:
        _lock(lock.fileno(), directory)
        identity = open_identity(directory, nodes=nodes, base_port=base_port)
        node_plans = plan_nodes(directory, identity)
        agent_plans = plan_agents(directory, agents, identity.nodes)
        _wait_for_ports(node_plans, after_a_kill=(directory / "dev.json").exists())
        write_configurations(identity, node_plans, agent_plans, slots=slots, parent_pid=os.getpid())
        children = {
            plan.name: Child(plan.name, "node", plan.config, plan.directory, umask) for plan in node_plans
        }
        for agent in agent_plans:
            held = not is_admitted(agent, identity)
            children[agent.name] = Child(agent.name, "agent", agent.config, agent.directory, umask, held=held)
        clocks = Clocks(directory, [plan.name for plan in node_plans])
        for plan in node_plans:
            children[plan.name].extra = clocks.environment(plan.name)
        demonstration = Demonstration(children, node_plans, agent_plans, clocks)
        facts = Facts(directory / "dev.json", identity, node_plans, agent_plans)
        opening = Opening(
            directory, identity, node_plans, agent_plans,
            jobs=not no_jobs, browser=not no_browser, admitted=lambda agent: children[agent.name].release(),
        )  # fmt: skip
        of_nodes, of_agents = counted(identity.nodes, "node"), counted(len(agent_plans), "agent")
        click.echo(f"Starting {of_nodes} and {of_agents} in {directory} …")
        Supervisor.hold_signals()
        become_subreaper()
        if with_parent:
            stop_with_parent()
        Server(directory, demonstration.answer).start()
        supervisor = Supervisor(children, facts, demonstration, restart=not no_restart)
        sys.exit(supervisor.run(started=opening.start))


def _lock(handle: int, directory: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        raise Failure(
            f"a cluster runs in {directory} already (process {holder})",
            code=CONFLICT,
            hint="Use it as it is, stop it, or choose another --data and --base-port.",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _wait_for_ports(nodes: list[NodePlan], *, after_a_kill: bool) -> None:
    """Refuse ports in use. A `dev` that was killed leaves dev.json; its processes may need a moment to
    end.
    """
    deadline_s = time.monotonic() + (PORTS_S if after_a_kill else 0.0)
    while taken := taken_ports(nodes):
        if time.monotonic() >= deadline_s:
            raise Failure(
                f"port {taken[0][0]} is taken by another program",
                code=CONFLICT,
                details=[f"{port} was meant for {use}" for port, use in taken],
                hint="Choose another --base-port (and --data), or stop the program that listens there.",
            )
        time.sleep(0.05)

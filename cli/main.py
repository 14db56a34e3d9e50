"""The list of commands. Their modules load when they are called."""

from __future__ import annotations

import errno
import sys

import click

from cli.exits import FAILED
from cli.lazy import Lazy, LazyGroup
from cli.terminal import guard

COMMANDS = {
    "dev": Lazy(
        "cli.dev.command:dev", "A whole cluster on this machine: nodes, agents, sample jobs, cockpit."
    ),
    "node": Lazy("cli.processes:node", "Run one scheduler node."),
    "agent": Lazy("cli.processes:agent", "Run an agent, which runs tasks on this host."),
    "job": Lazy("cli.job:job", "Define jobs, run them, see what became of their ticks."),
    "apply": Lazy("cli.apply:apply", "Create or change jobs and what they refer to, from files."),
    "diff": Lazy("cli.apply:diff", "What applying files would change, or what became between two instants."),
    "run": Lazy("cli.run:run", "Look at runs, follow their output, cancel them."),
    "plan": Lazy("cli.plan:plan", "What a day brings and brought: ticks, runs, how long they take."),
    "expectation": Lazy("cli.expectation:expectation", "What jobs were expected to do, and did not."),
    "schedule": Lazy("cli.objects:schedule", "Triggers that many jobs share."),
    "calendar": Lazy("cli.objects:calendar", "Which days are working days."),
    "vars": Lazy("cli.objects:vars", "Named values that jobs share."),
    "resource": Lazy("cli.objects:resource", "Amounts of which jobs take some: locks, counts, rates."),
    "board": Lazy("cli.objects:board", "Where tasks post notices."),
    "source": Lazy("cli.source:source", "Folders, repositories and buckets that own jobs and objects."),
    "template": Lazy("cli.objects:template", "What jobs have in common that extend it."),
    "channel": Lazy("cli.objects:channel", "Whom to tell and how."),
    "route": Lazy("cli.objects:route", "Who is told of what becomes of many jobs."),
    "notice": Lazy("cli.notice:notice", "Post notices on boards, list them, take them down."),
    "hook": Lazy("cli.hook:hook", "Where webhooks of other systems come in, and what did."),
    "agents": Lazy("cli.agents:agents", "List agents."),
    "cluster": Lazy("cli.cluster:cluster", "Make a cluster, look at it, add and remove nodes."),
    "namespace": Lazy("cli.namespace:namespace", "Declare namespaces: owner, quotas, pools."),
    "token": Lazy("cli.token:token", "Make, list and withdraw bearer tokens."),
    "secret": Lazy("cli.secret:secret", "Put, grant, list and delete secrets; rotate their key."),
    "top": Lazy("cli.top.command:top", "The cluster live on a terminal."),
    "notify": Lazy("cli.notify:notify", "Who is told what: look, mute, acknowledge, send again."),
    "events": Lazy("cli.events:events", "Follow what happens, live."),
    "audit": Lazy("cli.audit:audit", "See who decided what, from where."),
    "ledger": Lazy("cli.ledger:ledger", "Take the ledger out, to be checked elsewhere."),
    "simulate": Lazy("cli.simulate:simulate", "What the days to come bring, and what changed files would."),
    "state": Lazy("cli.travel:state", "The state as it was, at an index or instant; offline."),
    "verify": Lazy("cli.ledger:verify", "Prove that each due tick had exactly one outcome."),
    "doctor": Lazy("cli.doctor.command:doctor", "What is wrong here and with the cluster, and what to do."),
    "ticks": Lazy("cli.ticks:ticks", "When a schedule is due; offline."),
    "chaos": Lazy("cli.chaos:chaos", "Break a cluster on purpose and judge what it did meanwhile."),
    "context": Lazy("cli.context:context", "Name clusters, and choose which one commands talk to."),
    "config": Lazy("cli.config:config", "See with which settings programs work here."),
    "import": Lazy("cli.imports:imports", "Take jobs over from other systems."),
    "completion": Lazy("cli.completion:completion", "Print the completion script of a shell."),
}


@click.group(
    "cronclave",
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: cronclave dev, then in another terminal: cronclave job list",
)
@click.version_option(package_name="cronclave", message="%(prog)s %(version)s")
def cronclave() -> None:
    """The job scheduler that survives losing a zone.

    Commands find their cluster by --url or --context, CRONCLAVE_URL and CRONCLAVE_TOKEN, CRONCLAVE_CONTEXT,
    ./.cronclave/dev.json, which `cronclave dev` keeps, or the context in use: the first that names one.
    """


def main() -> None:
    """The entry point of the command `cronclave`."""
    guard()
    try:
        cronclave.main(prog_name="cronclave")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"error: what was asked for cannot be written: {error.strerror}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()

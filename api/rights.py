"""Which capability each route asks for, and of which namespace: the table of docs/reference/access.md.

The routes ask themselves (`Call.need`), with the namespace of what they load. What they ask is said here once
more, for people; tests/api/test_namespaces.py tries every route with every role, and a route without a line
fails. `python -m api.rights > docs/reference/access.md` writes the page.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from api.access import ADMIN, AGENT, APPROVE, CAPABILITIES, EDIT, JOIN, OPERATE, READ, RUN
from scheduler.machine.tokens import PEOPLE


class Of(enum.Enum):
    """Whose namespace counts."""

    NAMED = enum.auto()  #: the one that the request names, by ?namespace=, its path or its body
    LOADED = enum.auto()  #: that of what has this id: where one may not read, it is not there
    LISTED = enum.auto()  #: a list: of the one that is asked for, else of all in which one may
    CLUSTER = enum.auto()  #: the cluster, or all namespaces together: a role in all of them is needed
    ANY = enum.auto()  #: it tells nothing of jobs: whoever may somewhere may


class Right(NamedTuple):
    capability: str
    of: Of


OPEN = {
    "getHealth", "getHealthPage", "getReadiness", "getAuthorities", "beginSession", "getSession",
    "endSession", "sendDelivery",
}  # fmt: skip
"""Without a token, or with any: a session is its own right, and so is a signature."""

RIGHTS: Mapping[str, Right] = {
    operation: Right(capability, of)
    for capability, of, operations in (
        (
            READ, Of.NAMED,
            "getJob getReserved listRevisions listNextTicks listCells listSeries getDefinition listTicks"
            " explainJob getNamespacePause getNamespace listNamespaceRevisions getObject listObjectRevisions"
            " getObjectDiff listReferrers listCalendarDays listScheduleTicks getSecret getObjectDefinition"
            " getNamespaceDefinition listDeliveries listNotices listHolders listWaiters getPlan"
            " listBackfills getBackfill getSourceState",
        ),
        (READ, Of.LOADED, "getRun listMembers getLogs explainRun"),
        (
            READ, Of.LISTED,
            "listNamespaces listJobs listObjects listRuns listAttempts listLedger listOutbox listWork"
            " listSecrets"
            " getOverview streamEvents listApprovals listExpectations listMutes listReceivers",
        ),
        (READ, Of.CLUSTER, "listProofs verifyLedger exportLedger getTickLimits"),
        (READ, Of.ANY, "getJobSchema getObjectSchema getCluster listAgents getAgent getMetrics getPause"),
        (EDIT, Of.NAMED, "putJob createJob applyJobs deleteJob putObject deleteObject"),
        (EDIT, Of.CLUSTER, "getStage dropStage"),  # of one that another token has opened
        (RUN, Of.NAMED, "runJob postNotice deleteNotice startBackfill cancelBackfill"),
        (RUN, Of.LOADED, "cancelRun rerunRun"),
        (APPROVE, Of.LOADED, "approveTask rejectTask"),
        (OPERATE, Of.NAMED, "pauseJob resumeJob pauseNamespace resumeNamespace closePlan openPlan"
            " changeTick releaseReserved addMute sendTest"),
        (OPERATE, Of.LISTED, "changeJobs"),  # to run them: RUN
        (
            OPERATE, Of.LOADED,
            "resolveRun suspendRun resumeRun releaseRun overrideRun holdTask releaseTask skipTask retryTask"
            " stopTask completeTask reportProgress"
            " resendEffect dropEffect acknowledgeEffect acknowledgeExpectation removeMute",
        ),
        (OPERATE, Of.CLUSTER, "pauseAll resumeAll drainAgent resumeAgent"),
        (ADMIN, Of.NAMED, "createToken putSecret grantSecret deleteSecret syncSource"),
        (ADMIN, Of.LISTED, "listTokens listAudit exportAudit"),
        (ADMIN, Of.LOADED, "deleteToken"),
        (
            ADMIN, Of.CLUSTER,
            "putNamespace deleteNamespace releaseAgent addMember removeMember transferLeadership"
            " activateFormat activateZones setTickLimits getBackup rotateSecretKey",
        ),
        (JOIN, Of.CLUSTER, "joinCluster"),
    )
    for operation in operations.split()
}  # fmt: skip

CAPABILITY_WORDS = {
    READ: "see jobs, runs, output, ticks",
    RUN: "start and cancel runs",
    EDIT: "put and delete jobs",
    OPERATE: "pause, resume, suspend and release runs, resolve, send again",
    APPROVE: "answer what waits for a person",
    ADMIN: "tokens, secrets, namespaces; in all namespaces: the cluster",
    AGENT: "connect agents",
}
FOREIGN = {
    Of.NAMED: "403",
    Of.LOADED: "404, as if it were not there",
    Of.LISTED: "left out; asked for by name: 403",
    Of.CLUSTER: "403; so is a role in one's own alone",
    Of.ANY: "as in one's own",
}
HEAD = """# Who may do what

Generated from `api/rights.py` (`python -m api.rights > docs/reference/access.md`); a test tries every route
with every role, in its own and in a foreign namespace, by token and by session.

A token has a role in all namespaces (`cronclave token create --role operator ann`), one in some of them
(`--role operator --namespace finance`), or several (`--in finance=operator --in web=viewer`); what it has in
all and in one adds up. A browser's session is worth what its token is worth at that moment.

Who may in some namespaces sees these alone: lists, the overview and the stream of events leave out the
others, and the id of a run or an effect of another one answers as if there were none. What is of another one
is named (`vars: [finance/warehouse]`, `after: "finance/load.succeeded"`) by those alone who may read there;
and what a job does there (runs, posts, takes locks, uses up notices) by those who may run jobs there.
The cluster itself (members, agents, metrics) tells nothing of jobs, and is there for everybody who may read
somewhere.

An administrator of single namespaces administrates these alone: makes, lists and withdraws tokens that are of
them and of nothing else, and gives no right beyond them. Names of tokens are the cluster's: one that is taken
is told as taken, whoever has it. Agents, nodes, join tokens, formats, backups and whatever spans namespaces
need the role in all.

"""


def markdown(routes: Mapping[str, tuple[str, str]]) -> str:
    """The page. `routes`: method and path by operation."""
    lines = [HEAD + "## Roles\n", "| capability | what | " + " | ".join(PEOPLE) + " |"]
    lines.append("| --- | --- |" + " :-: |" * len(PEOPLE))
    for capability, said in CAPABILITY_WORDS.items():
        marks = ["✓" if capability in CAPABILITIES[role] else "" for role in PEOPLE]
        lines.append(f"| `{capability}` | {said} | " + " | ".join(marks) + " |")
    lines.append(
        "\nA token of role `agent` opens the agents' socket and nothing else, `join-agent` and `join-node`"
        " redeem themselves and nothing else. All of these are of no namespace.\n"
    )
    lines.append("## Routes\n")
    lines.append("| route | capability | " + " | ".join(PEOPLE) + " | in a foreign namespace |")
    lines.append("| --- | --- |" + " :-: |" * len(PEOPLE) + " --- |")
    for operation, right in RIGHTS.items():
        method, path = routes[operation]
        marks = ["✓" if right.capability in CAPABILITIES[role] else "" for role in PEOPLE]
        lines.append(
            f"| `{method} {path}` | {right.capability} | " + " | ".join(marks) + f" | {FOREIGN[right.of]} |"
        )
    free = ", ".join(f"`{' '.join(routes[operation])}`" for operation in sorted(OPEN))
    lines.append(f"\nWithout a role: {free}. `POST /v1/bulk` with `action: run` needs `run`.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    from api.app import routes

    print(markdown(routes()), end="")

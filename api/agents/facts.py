"""What the conversations of this node ask of it (`conversation.Node`): its status and its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from api import callbacks
from api.agents.assignment import NO_OUTPUTS, Told, environment, job_of
from api.agents.conversation import Now, Standing
from api.agents.fitness import Fitness
from api.agents.secrets import Ungiven, given
from api.callbacks import Callback
from api.ports import ApiSettings, NodeStatus, Scheduler, VaultError
from scheduler.machine.rules.selectors import parse_kinds
from scheduler.model.by_revision import CompiledJobs
from scheduler.model.compiled import CompiledJob, CompiledTask
from scheduler.model.outputs import GIVEN_BYTES_MAX
from scheduler.protocol import AROUND, Hello
from scheduler.store.connection import Store
from scheduler.store.reads import agents as agent_reads
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import namespaces as namespace_reads
from scheduler.store.reads import outputs as output_reads
from scheduler.store.reads import run_vars
from scheduler.store.reads import tokens as token_reads
from scheduler.store.reads.attempts import DispatchRow
from scheduler.store.reads.run_vars import Begun
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import restores, rests

NOTHING = ("", "")  #: runs around the work


class Facts:
    """`newcomer`: as `newcomers.Newcomers.why_not_now`."""

    def __init__(
        self,
        scheduler: Scheduler,
        settings: ApiSettings,
        fitness: Fitness,
        newcomer: Callable[[str], tuple[str, str] | None],
        compiled: CompiledJobs,
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._fitness = fitness
        self._newcomer = newcomer
        self._compiled = compiled

    def now(self) -> Now:
        return Now(self._scheduler.index, self._scheduler.now_ms(), self._fitness.why_not() is None)

    def standing(self, hello: Hello) -> Standing:
        status = self._scheduler.status()
        with self._scheduler.read() as store:
            return Standing(
                node=status.node,
                cluster=status.cluster,
                restores=status.restores,
                lineage=restores.lineage(store),
                restore=restores.current(store),
                addresses=_addresses(status, self._settings.urls, hello.zone),
                belongs_to=token_reads.bound_to(store, hello.name),
                is_known=agent_reads.is_known(store, hello.installation, hello.name),
            )

    def told(self, attempts: Sequence[int]) -> Mapping[int, Told]:
        with self._scheduler.read() as store:
            rows = attempt_reads.dispatch(store, attempts)
            begun = run_vars.of_runs(store, [row.run for row in rows])
            around = namespace_reads.around(store, [row.namespace for row in rows])
            return {
                row.attempt: self._told(
                    store, row, begun.get(row.run, ()), around.get(row.namespace, NOTHING)
                )
                for row in rows
            }

    def _told(
        self, store: Store, row: DispatchRow, begun: Sequence[Begun], around: tuple[str, str]
    ) -> Told:
        job = job_of(store, self._compiled, row)
        task = None if job is None else job.by_name.get(row.task)
        uses = job.secrets.get(row.task, ()) if job is not None and job.secrets else ()
        try:
            if around != NOTHING:
                _may_surround(store, row, task)
            secrets = given(store, self._settings.vault, row, uses)
            rest = rests.get(store, row.run) if job is not None and job.kept_last else None
            told = environment(row, begun, _outputs(store, row, job), rest)
            if task is not None and task.async_ms:
                told |= callbacks.addresses(self._base(), row.run, row.task)
                secrets += ((callbacks.VARIABLE, self._callback(store, row), False),)
            return Told(told, secrets, "", *around)
        except Ungiven as why:
            node = self._scheduler.status().node
            return Told({}, unable=f"{why} (node {node})")

    def _base(self) -> str:
        """Where it says how it ended: at a node, where nobody said by which address any is reached."""
        status = self._scheduler.status()
        return self._settings.public_url or status.url or self._settings.urls.get(status.node, "")

    def _callback(self, store: Store, row: DispatchRow) -> str:
        """Raises Ungiven."""
        callback = Callback(row.attempt, self._scheduler.status().restores)
        try:
            return callbacks.token_of(self._settings.vault, store, callback)
        except VaultError as error:
            raise Ungiven(f"async: no token can be made for it: {error}") from None

    def why_not_now(self, token: str) -> tuple[str, str] | None:
        return self._newcomer(token)


def _may_surround(store: Store, row: DispatchRow, task: CompiledTask | None) -> None:
    """What a namespace runs around its work is not known when that is placed. Raises Ungiven."""
    agent = agent_rows.get(store, row.agent)
    if agent is None or task is None:
        return
    if f"{task.executor}.{AROUND}" not in parse_kinds(agent.kinds):
        said = f"agent {agent.name} does not know how to run what namespace {row.namespace} wants around it"
        raise Ungiven(f"{said}: upgrade it")


def _outputs(store: Store, row: DispatchRow, job: CompiledJob | None) -> Mapping[str, bytes]:
    """Of the tasks that this one needs. Raises Ungiven."""
    if job is None or not job.outputs:
        return NO_OUTPUTS
    given = job.givers(row.task)
    found = output_reads.of_tasks(store, row.run, given) if given else NO_OUTPUTS
    size = sum(map(len, found.values()))
    if size > GIVEN_BYTES_MAX:
        raise Ungiven(f"the outputs of what it needs have {size} bytes, {GIVEN_BYTES_MAX} at most")
    return found


def _addresses(status: NodeStatus, urls: Mapping[str, str], zone: str) -> tuple[str, ...]:
    """Base URLs of all nodes, those of the agent's zone first."""
    found: dict[str, bool] = {}
    own = urls.get(status.node)
    if own:
        found[own] = status.zone == zone
    for peer in status.peers:
        url = peer.url or urls.get(peer.node, "")
        if url:
            found.setdefault(url, peer.zone == zone)
    for url in urls.values():
        found.setdefault(url, False)
    return tuple(sorted(found, key=lambda url: not found[url]))

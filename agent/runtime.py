"""All of an agent put together, and its life: start, run, stop in good order.

Exit codes: 0 told to stop (running work stays with the spooler), 1 configuration, 3 fenced, 4 another agent
has the data directory, 5 no spooler, 70 the journal failed: start it again, it reads what is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import time

from agent import SOFTWARE, identity, privacy
from agent.clock import NodeClock
from agent.config import AgentConfig, ConfigError, boot_id
from agent.connection import Connection, Fenced
from agent.journal import Journal
from agent.key import Keyless
from agent.output import sweep
from agent.recount import pages, pinned_to, refusal
from agent.spool.client import SpoolerClient, SpoolerUnavailable
from agent.trust import Trust
from agent.watching.watcher import Watcher
from agent.work.starting import Place
from agent.work.worker import Worker
from scheduler.protocol import FILES, LEASE_MS, VERSION, Hello, Message, Ran, Recount, Welcome, to_sign

log = logging.getLogger("agent")
SWEEP_S = 60.0
SETTLE_S = 8.0  #: of a stop in good order, at most: a grant is void after ten
SETTLE_LOOK_S = 0.01


class Agent:
    """The composition root; also what the connection works for."""

    def __init__(self, config: AgentConfig, *, job_umask: int) -> None:
        self._config = config
        stored, self._key = identity.load(config.data)
        self._identity, self._session = identity.next_session(config.data, stored)
        self._boot_id = boot_id(config.boot_id_file)
        self._stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._clock = NodeClock()
        self._journal = Journal(config.data / "agent.journal", self._journal_failed)
        trust = Trust(config.ca)
        if any(node.startswith("https") for node in config.nodes):
            trust.context()  # a file that cannot be used ends the agent now, with its name
        self._connection = Connection(
            config.nodes, config.bearer, trust, self._clock, self, fixed=config.fixed_nodes
        )
        self._spooler = SpoolerClient(
            config.data,
            boot_id=self._boot_id,
            installation=self._identity.installation,
            parent_pid=config.parent_pid,
            job_umask=job_umask,
        )
        self._worker = Worker(
            place=Place(config.name, config.zone, self._identity.installation, config.output_bytes_max),
            session=self._session,
            slots=config.slots,
            output=config.data / "output",
            journal=self._journal,
            spooler=self._spooler,
            clock=self._clock,
            send=self._connection.send,
            boot_id=self._boot_id,
        )
        self._watcher = Watcher(self._connection.send)
        self._pages: list[Ran] = []

    # -- the connection's listener

    def hello(self, nonce: bytes) -> Hello:
        config = self._config
        hello = Hello(
            version=VERSION,
            name=config.name,
            installation=self._identity.installation,
            session=self._session,
            boot_id=self._boot_id,
            zone=config.zone,
            pool=config.pool,
            labels=dict(config.labels),
            slots=self._worker.slots(),
            software=SOFTWARE,
            index=self._journal.book.index,
            cluster=self._identity.cluster,
            restores=self._identity.restores,
            held=self._worker.held(),
            cloud_id=config.cloud_id,
            lineage=self._identity.lineage,
            told=self._identity.told,
            key=self._key.public,
            kinds=tuple(sorted((*self._worker.kinds, FILES))),
        )
        return dataclasses.replace(hello, proof=self._key.sign(to_sign(hello, nonce)))

    def accept(self, welcome: Welcome) -> str:
        refused = refusal(self._identity, welcome)
        if refused:
            return refused
        pinned = dataclasses.replace(pinned_to(self._identity, welcome), told=welcome.restores)
        if pinned != self._identity:
            self._identity = pinned
            identity.store(self._config.data, pinned)
        self._pages = []
        self._journal.seen(welcome.index)
        self._worker.welcomed()
        return ""

    async def recount(self, asked: Recount) -> Ran | str:
        if refused := refusal(self._identity, asked):
            return refused
        pinned = pinned_to(self._identity, asked)
        if pinned != self._identity:
            self._identity = pinned
            identity.store(self._config.data, pinned)
            log.warning("the cluster was restored: %s, restore %d", asked.cluster, asked.restores)
        if asked.page == 0:
            self._worker.leave_cluster()
            rows, running = self._worker.open_work()
            ended = [row for row in await self._journal.ran() if row.attempt not in set(running)]
            self._pages = pages([*rows, *ended], running, asked)
        if asked.page >= len(self._pages):
            return f"it asked for page {asked.page} of {len(self._pages)}"
        return self._pages[asked.page]

    def receive(self, messages: list[Message]) -> None:
        for message in messages:
            self._worker.receive(message)
            self._watcher.receive(message)

    def lease(self, until_boot_ms: float) -> None:
        self._spooler.lease(until_boot_ms)
        self._worker.contact(until_boot_ms - LEASE_MS)

    def beat(self) -> int:
        self._worker.tick()
        return self._journal.book.index

    def slots(self) -> int:
        return self._worker.slots()

    def waiting(self) -> bool:
        return self._worker.waiting()

    # -- life

    def stop(self, code: int) -> None:
        if not self._stop.done():
            self._stop.set_result(code)

    def _journal_failed(self, error: BaseException) -> None:
        log.critical("the journal failed: %s", error)
        self.stop(70)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, 0)
        self._watch_parent(loop)
        try:
            reader = await self._spooler.open(self._worker)
        except SpoolerUnavailable as error:
            log.critical("%s", error)
            return 5
        if self._identity.boot_id != self._boot_id:
            self._identity = dataclasses.replace(self._identity, boot_id=self._boot_id)
            identity.store(self._config.data, self._identity)
        tasks = [
            asyncio.create_task(self._spooler.serve(reader, self._worker)),
            asyncio.create_task(self._spooler.watch()),
            asyncio.create_task(self._connection.run()),
            asyncio.create_task(self._sweep()),
        ]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        code = await self._stop
        if code == 0:
            await self._settle(tasks)
            await self._connection.goodbye("stopped")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._watcher.close()
        self._spooler.close()
        if code != 70:
            await self._journal.close()
        return code

    async def _settle(self, tasks: list[asyncio.Task[None]]) -> None:
        """What was claimed starts first, as far as that comes within `SETTLE_S`."""
        self._worker.leave()
        log.info("told to end: it claims nothing more")
        until_s = time.monotonic() + SETTLE_S
        while self._worker.unsettled():
            if time.monotonic() > until_s or any(task.done() for task in tasks):
                log.warning("ends with claims that have not started: they are lost")
                return
            await asyncio.sleep(SETTLE_LOOK_S)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Fenced):
            log.critical("fenced: %s", error)
            self.stop(3)
        elif isinstance(error, SpoolerUnavailable):
            log.critical("%s", error)
            self.stop(5)
        else:
            log.critical("the agent fails", exc_info=error)
            self.stop(70)

    def _watch_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        """Development: end with the process that started us; so does the spooler, with its groups."""
        if not self._config.parent_pid:
            return
        try:
            handle = os.pidfd_open(self._config.parent_pid)
        except ProcessLookupError:
            self.stop(0)
            return
        loop.add_reader(handle, self.stop, 0)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(
                    sweep,
                    self._config.data / "output",
                    keep_bytes=self._config.output_keep_bytes,
                    keep_ms=self._config.output_keep_ms,
                    running=self._worker.running(),
                )


async def serve(config: AgentConfig) -> int:
    """Run an agent until it is told to stop; its exit code."""
    job_umask = privacy.keep_private()
    if os.geteuid() == 0:
        log.warning("it runs as root, and so does every job that it gets; run it under a user of its own")
    try:
        lock = identity.occupy(config.data)
    except identity.Occupied as error:
        log.critical("%s", error)
        return 4
    try:
        return await Agent(config, job_umask=job_umask).run()
    except (ConfigError, Keyless) as error:
        log.critical("%s", error)
        return 1
    finally:
        os.close(lock)

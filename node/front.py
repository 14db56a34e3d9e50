"""The front process: HTTP, the agents' gateway, the planner and effects, in one asyncio loop.

It holds no state of its own that a restart would lose: everything comes from the state's file and the bridge.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path

import uvicorn
import uvloop

from api.agents.gateway import Gateway
from api.app import create_app
from api.crowd import CONNECTIONS_MAX, Connections
from api.ports import ApiSettings, Committed, NodeStatus
from api.server import Server
from api.server import settings as server_settings
from cluster.tls import TlsError
from node.__main__ import configure_logging, keep_loaded
from node.config import ConfigError, NodeConfig, load_config
from node.demonstration import DevDemonstration
from node.effects import effects
from node.effects.runner import Runner
from node.effects.sources import places
from node.effects.sources.follower import Follower
from node.https import HttpsCertificate
from node.identity import PRIVATE, load_identity, software_version
from node.link import CoreLink
from node.planner import NODE_QUIET_MS, Planner
from node.secret_keys import KeysError
from node.signing import NodeAuthority
from node.supervisor import EXIT_REFUSED, die_with_parent
from node.vault import vault_of
from node.watch import Watch
from scheduler import formats
from scheduler.words.commands import Command
from scheduler.words.events import EffectQueued, ObjectPut, SourceAsked, Wakes
from scheduler.words.outcomes import Outcome

log = logging.getLogger("cronclave.front")

GIL_S = 0.0005  #: a thread that computes gives the interpreter up to the loop after so long
PLAN_S = 15.0  #: for the outcomes of a plan
SOURCES = frozenset({SourceAsked, ObjectPut})
OWN_FILES = 256  #: for the state, the bridge, logs: never for connections


def unknown_status(config: NodeConfig, uid: str) -> NodeStatus:
    return NodeStatus(
        cluster=config.cluster,
        node=config.name,
        uid=uid,
        zone=config.zone,
        state="joining" if config.join else "follower",
        leader=None,
        leader_url=None,
        term=0,
        epoch=0,
        index=0,
        commit_lag_ms=None,
        quorum=False,
        ready=False,
        state_hash="",
        ledger_head="",
        format=formats.oldest(),
        version=software_version(),
        tzdata="",
        free_bytes=0,
        wal_bytes=0,
        log_bytes=0,
        log_entries=0,
    )


def most_files() -> int:
    """How many files this process may open, after it has asked for all that it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # a kernel may grant less than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX + OWN_FILES if soft == resource.RLIM_INFINITY else soft


class Front:
    """Composition of one front."""

    def __init__(self, config: NodeConfig) -> None:
        """Raises TlsError, KeysError."""
        self._config = config
        self._leaving: asyncio.Task[None] | None = None
        self._seen: tuple[object, ...] = ()  #: of an office of this node, what its planner goes by
        self._https = (
            HttpsCertificate(config.http_cert, config.http_key)
            if config.http_cert is not None and config.http_key is not None
            else None
        )
        https = self._https
        self._link = CoreLink(config.data, unknown_status(config, load_identity(config).uid))
        if https is not None:
            self._link.certificates = lambda: {"https": int(https.not_after_s * 1000)}
        settings = ApiSettings(
            authority=NodeAuthority(config.cluster, config.tls) if config.tls else None,
            insecure=config.insecure,
            public_url=config.public_url,
            urls={name: member.url for name, member in config.members.items()},
            ca=config.tls.ca if config.tls else None,
            scratch=config.data / "backups",
            demonstration=DevDemonstration(config.demonstration) if config.demonstration else None,
            vault=vault_of(config),
        )
        self._gateway = Gateway(self._link, settings)
        self._app = create_app(self._link, settings, self._gateway)
        self._planner = Planner(
            node=config.name,
            open_store=self._link.reader,
            compiled=self._gateway.compiled,
            status=self._link.status,
            propose=self._propose_plan,
            hand_over=self._link.hand_over,
            grid=self._link.grid,
            bootstrap_token=config.bootstrap_token_sha256,
        )
        self._runner = Runner(
            effects(config, settings.vault, self._link.reader),
            holds_office=lambda: self._planner.epoch_held() is not None,
            open_store=self._link.reader,
            propose=self._link.propose,
            now_ms=self._link.now_ms,
        )
        self._follower = Follower(
            self._app.services,
            places(config),
            environment=config.environment,
            holds_office=lambda: self._planner.epoch_held() is not None,
            propose=self._link.propose,
        )
        self._watch = Watch(
            epoch_held=self._planner.epoch_held,
            open_store=self._link.reader,
            now_ms=self._link.now_ms,
            propose=lambda commands: self._propose_plan(commands, True),
            proved=settings.proved,
        )
        connections = Connections(max(64, min(CONNECTIONS_MAX, most_files() - OWN_FILES)))
        self._server = Server(
            uvicorn.Config(
                self._app,
                host=config.http.host,
                port=config.http.port,
                lifespan="on",
                timeout_graceful_shutdown=2,
                **server_settings(connections),
            ),
            connections,
            None if https is None else https.context,
        )

    async def run(self) -> int:
        """Until the core says so, or is gone. The supervisor orders the end, though a terminal's Ctrl-C and a
        service manager's stop reach all: a front that left first would leave a leader without a planner."""
        self._link.on_stop = self._stop
        self._link.on_commit = self._on_commit
        self._link.on_status = self._on_status
        await self._link.connect()
        reading = asyncio.create_task(self._link.run(), name="bridge")
        beating = asyncio.create_task(self._link.beat(), name="beat")
        planning = asyncio.create_task(self._planner.run(), name="planner")
        running = asyncio.create_task(self._runner.run(), name="effects")
        following = asyncio.create_task(self._follower.run(), name="sources")
        looking = asyncio.create_task(self._watch.run(), name="watch")
        watching = None
        if self._https is not None:
            watching = asyncio.create_task(self._https.watch(), name="certificates")
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._look_at_certificates)
        serving = asyncio.create_task(self._server.serve(), name="http")
        done, _ = await asyncio.wait(
            {reading, beating, planning, running, following, looking, serving},
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in done:
            if task is not serving:
                log.error("%s ended: %r", task.get_name(), task.exception() or "the core is gone")
        planning.cancel()
        running.cancel()
        following.cancel()
        looking.cancel()
        if watching is not None:
            watching.cancel()
        if not serving.done():
            self._stop()
            await asyncio.wait({serving}, timeout=3.0)
        return 0 if done == {serving} else 1

    def _look_at_certificates(self) -> None:
        if self._https is not None:
            self._https.look(force=True)

    def _stop(self) -> None:
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(), name="leave")

    async def _leave(self) -> None:
        """Agents first: the server closes what is still open, and may cut a farewell off."""
        await self._gateway.closed()
        self._server.end()

    def _propose_plan(self, commands: Sequence[Command], can_wait: bool) -> Awaitable[list[Outcome]]:
        return self._link.proposals.propose_all(commands, PLAN_S, can_wait=can_wait)

    def _on_commit(self, committed: Committed) -> None:
        if self._link.status().state != "leader":
            return
        if EffectQueued in committed.kinds:
            self._runner.poke()
        if not SOURCES.isdisjoint(committed.kinds):
            self._follower.poke()
        wakes = max((kind.wakes for kind in committed.kinds), default=Wakes.NOT)
        if wakes is not Wakes.NOT:
            self._planner.poke(urgent=wakes is Wakes.NOW)

    def _on_status(self, status: NodeStatus) -> None:
        """Who takes office plans at once. Later what came or went is planned for soon; else the planner keeps
        time by itself."""
        seen = _office(status) if status.state == "leader" else ()
        if seen and (seen != self._seen or not self._planner.is_planning):
            self._planner.poke(urgent=not self._planner.is_planning)
        self._seen = seen


def _office(status: NodeStatus) -> tuple[object, ...]:
    peers = [
        (p.node, p.reachable, p.silent_ms >= NODE_QUIET_MS, p.clock_offset_ms is None) for p in status.peers
    ]
    return (status.term, status.epoch, status.ready, *peers)


def main() -> int:
    parser = argparse.ArgumentParser(prog="node.front")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    configure_logging("front")
    sys.setswitchinterval(GIL_S)
    os.umask(PRIVATE)
    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        print(f"cronclave node: {error}", file=sys.stderr)
        return EXIT_REFUSED
    try:
        front = Front(config)
    except (TlsError, KeysError) as error:
        print(f"cronclave node: {error}", file=sys.stderr)
        return EXIT_REFUSED
    keep_loaded()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(front.run())
    except OSError as error:
        print(f"cronclave node: cannot serve on {config.http}: {error}", file=sys.stderr)
        return 1
    logging.shutdown()
    os._exit(code)  # nothing is left to save, and taking the interpreter apart costs up to a second


if __name__ == "__main__":
    sys.exit(main())

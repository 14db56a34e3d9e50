"""What a person may break and mend in the cockpit of a development cluster, to see that nothing is lost.

Rules:

1. A wish is kept with its answer, and carried out by the supervisor's loop a moment later: the node that
   asks may be the one that is to be killed, and has to answer first.
2. What stands, stands until it is taken back: a program that is down by a fault is not started again,
   whatever else ends meanwhile. One node is always left, for nobody could take anything back else.
3. A lost zone is lost whole: with its node, its agents and all that they run. A stopped agent leaves its
   spooler and what runs there alone, as in production.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.dev.children import Child
from cli.dev.clocks import Clocks
from cli.dev.layout import DEMONSTRATION, AgentPlan, NodePlan

LINE_BYTES_MAX = 4096
LINE_S = 5.0
ANSWERED_S = 0.25  #: from the answer to the deed
HOUR_MS = 3_600_000

ZONE, NODE, AGENT, CLOCK = "lose-zone", "kill-node", "stop-agent", "jump-clock"


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    target: str
    parts: tuple[str, ...]  #: names of the programs that it is about

    @property
    def takes_down(self) -> bool:
        return self.kind != CLOCK


class Refused(Exception):
    """Why a wish is none."""


class Demonstration:
    """The faults of one development cluster: asked for by its nodes, carried out by the supervisor."""

    def __init__(
        self, children: Mapping[str, Child], nodes: list[NodePlan], agents: list[AgentPlan], clocks: Clocks
    ) -> None:
        self._children = children
        self._nodes = {node.name for node in nodes}
        self._clocks = clocks
        places: list[NodePlan | AgentPlan] = [*nodes, *agents]
        zones = sorted({place.zone for place in places})
        self.faults = (
            *(Fault(ZONE, zone, tuple(p.name for p in places if p.zone == zone)) for zone in zones),
            *(Fault(NODE, node.name, (node.name,)) for node in nodes),
            *(Fault(AGENT, agent.name, (agent.name,)) for agent in agents),
            *(Fault(CLOCK, node.name, (node.name,)) for node in nodes),
        )
        self._lock = threading.Lock()
        self._wished: dict[Fault, float] = {}  #: what is to stand, and from when (monotonic)
        self._done: set[Fault] = set()  #: what stands; the loop's own

    # -- the server's thread ----------------------------------------------------------------------

    def answer(self, wish: Any) -> dict[str, Any]:
        """What there is, after this wish if it is one."""
        try:
            if wish is not None:
                self._wish(wish)
        except Refused as refused:
            return {"refused": str(refused)}
        with self._lock:
            return {"faults": [
                {
                    "kind": fault.kind, "target": fault.target, "parts": list(fault.parts),
                    "stands": fault in self._wished,
                    "unavailable": self._clocks.missing if fault.kind == CLOCK else None,
                }
                for fault in self.faults
            ]}  # fmt: skip

    def _wish(self, wish: Any) -> None:
        match wish:
            case {"kind": str(kind), "target": str(target), "stands": bool(stands)}:
                pass
            case _:
                raise Refused("a wish is kind, target and stands")
        fault = next((each for each in self.faults if (each.kind, each.target) == (kind, target)), None)
        if fault is None:
            raise Refused(f"there is no {kind[:40]} of {target[:100]}")
        if stands and fault.kind == CLOCK and self._clocks.missing:
            raise Refused(self._clocks.missing)
        with self._lock:
            if not stands:
                self._wished.pop(fault, None)
                return
            down = {part for each in (*self._wished, fault) if each.takes_down for part in each.parts}
            if self._nodes <= down:
                raise Refused("no node would be left to take it back")
            self._wished.setdefault(fault, time.monotonic() + ANSWERED_S)

    # -- the supervisor's loop --------------------------------------------------------------------

    def carry_out(self) -> None:
        """What was wished since the last look."""
        now_s = time.monotonic()
        with self._lock:
            wished = {fault for fault, from_s in self._wished.items() if from_s <= now_s}
        for fault in [each for each in self.faults if each in self._done - wished]:
            self._done.discard(fault)
            self._mend(fault)
        for fault in [each for each in self.faults if each in wished - self._done]:
            self._done.add(fault)
            self._break(fault)

    def _break(self, fault: Fault) -> None:
        if fault.kind == CLOCK:
            self._clocks.jump(fault.target, HOUR_MS)
            click.echo(f"{fault.target}: its clock is an hour ahead, by your wish", err=True)
            return
        click.echo(f"{fault.kind} {fault.target}: {', '.join(fault.parts)}, by your wish", err=True)
        for child in map(self._children.__getitem__, fault.parts):
            child.lose()
            if fault.kind == ZONE:
                kill(child.processes())
            elif child.process is not None:
                child.process.send_signal(signal.SIGKILL if fault.kind == NODE else signal.SIGTERM)

    def _mend(self, fault: Fault) -> None:
        click.echo(f"{fault.kind} {fault.target}: taken back", err=True)
        if fault.kind == CLOCK:
            self._clocks.jump(fault.target, 0)
            return
        down = {part for each in self._done if each.takes_down for part in each.parts}
        for part in fault.parts:
            if part not in down:
                self._children[part].find()


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Server(threading.Thread):
    """Listens at DIR/dev.sock, for the nodes of this cluster. It ends with the process."""

    def __init__(self, directory: Path, answer: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__(daemon=True, name="demonstration")
        (directory / DEMONSTRATION).unlink(missing_ok=True)

        class Line(socketserver.StreamRequestHandler):
            timeout = LINE_S

            def handle(self) -> None:
                with suppress(OSError, ValueError):
                    wish = json.loads(self.rfile.readline(LINE_BYTES_MAX))
                    self.wfile.write(json.dumps(answer(wish)).encode() + b"\n")

        # Through /proc/self/fd: a folder may be deeper than the 107 bytes of a socket's address.
        folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            address = f"/proc/self/fd/{folder}/{DEMONSTRATION}"
            self._server = socketserver.ThreadingUnixStreamServer(address, Line)
            os.chmod(address, 0o600)
        finally:
            os.close(folder)
        self._server.daemon_threads = True

    def run(self) -> None:
        self._server.serve_forever(poll_interval=3600.0)

"""Processes killed, stopped and restarted, by their own pids.

Rules:
1. A fault is what happened to the pids of that moment. Fronts and spoolers are started again by the
   product itself; then the fault is their death, and healed is: another one lives.
2. Of a node the core is hit first, since it decides. Freezing goes in the same order, thawing too.
3. A frozen process is thawed before it is killed by anybody who cleans up: SIGKILL needs no thaw, SIGTERM
   does.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any, Protocol

import chaos.nodes
from chaos.agents import Agent
from chaos.faults import Fault, Kill, Pause, RollingRestart
from chaos.nemesis import NemesisError, Sighting, Unavailable
from chaos.nodes import Node
from chaos.programs import Program, alive, signal_all, state_of, wait_for

STEP_S = 90.0
LOG_SHOWN = 500
AGENT_PARTS = ("spooler", "host")


class Programs(Protocol):
    """What this driver needs of a cluster."""

    @property
    def programs(self) -> Sequence[Program]: ...

    def ready(self, node: Node) -> bool: ...


class ProcessDriver:
    name = "process"
    kinds: frozenset[type[Any]] = frozenset({Kill, Pause, RollingRestart})

    def __init__(self, cluster: Programs) -> None:
        self._cluster = cluster
        self._hit: dict[Fault, dict[str, dict[str, int]]] = {}  #: target → role → pid, of what is not healed

    def available(self) -> Unavailable | None:
        return None

    def inject(self, fault: Fault) -> None:
        match fault:
            case Kill(processes=targets):
                found = self._pids(targets)
                for target in targets:
                    self._kill(target)
                hit = [pid for pids in found.values() for pid in pids.values()]
                wait_for(lambda: not any(alive(pid) for pid in hit), STEP_S, "all dead")
            case Pause(processes=targets):
                found = self._pids(targets)
                for pids in found.values():
                    signal_all(pids.values(), signal.SIGSTOP)
                hit = [pid for pids in found.values() for pid in pids.values()]
                wait_for(lambda: all(_stopped(pid) for pid in hit), STEP_S, "all stopped")
            case RollingRestart(nodes=targets):
                found = self._pids(targets)
                for target in targets:
                    self._restart(target)
            case _:
                raise NemesisError(f"the process driver cannot inject {fault}")
        self._hit[fault] = found

    def heal(self, fault: Fault | None = None) -> None:
        for healed in list(self._hit) if fault is None else [fault]:
            pids = self._hit.pop(healed, {})
            if isinstance(healed, Pause):
                for stopped in pids.values():
                    signal_all(stopped.values(), signal.SIGCONT)
            elif isinstance(healed, Kill):
                self._start(healed.processes)

    def verify(self, fault: Fault) -> Sighting:
        match fault:
            case Kill(processes=targets):
                return self._killed(fault, targets)
            case Pause(processes=targets):
                states = {t: [state_of(pid) for pid in p.values()] for t, p in self._pids(targets).items()}
                letters = [letter for found in states.values() for letter in found]
                real = None if not letters else all(letter in "Tt" for letter in letters)
                return Sighting(real, f"kernel's states of {states}")
            case RollingRestart(nodes=targets):
                before = self._hit.get(fault)
                if before is None:
                    return Sighting(False, "over")
                now = self._pids(targets)
                changed = all(now[t] and not set(now[t].values()) & set(before[t].values()) for t in targets)
                return Sighting(changed, f"pids before {before}, now {now}")
        raise NemesisError(f"the process driver cannot verify {fault}")

    # -- one target

    def _program(self, target: str) -> tuple[Program, str]:
        """The program, and the part of it or nothing."""
        name, _, part = target.partition("/")
        for program in self._cluster.programs:
            if program.name == name:
                parts = chaos.nodes.ROLES if isinstance(program, Node) else AGENT_PARTS
                if part and part not in parts:
                    raise NemesisError(f"{target}: {name} has no {part!r}, it has {', '.join(parts)}")
                return program, part
        known = ", ".join(program.name for program in self._cluster.programs)
        raise NemesisError(f"{target}: there is no {name!r}, known are {known}")

    def _pids(self, targets: Sequence[str]) -> dict[str, dict[str, int]]:
        """The processes that each target means now, in the order in which they are hit."""
        found = {}
        for target in targets:
            program, part = self._program(target)
            pids = program.pids()
            if isinstance(program, Node):
                roles: tuple[str, ...] = (part,) if part else chaos.nodes.ROLES
            else:
                roles = {"": ("agent",), "spooler": ("spooler",), "host": ("agent", "spooler")}[part]
            found[target] = {role: pids[role] for role in roles if role in pids}
        return found

    def _kill(self, target: str) -> None:
        program, part = self._program(target)
        if isinstance(program, Node) and part:
            pids = program.signal(signal.SIGKILL, (part,))
            wait_for(lambda: not any(alive(pid) for pid in pids), STEP_S, f"{target} is dead")
            if part != "front":  # the whole node ends with it
                assert program.process is not None
                program.process.wait(STEP_S)
                program.reap()
        elif isinstance(program, Agent) and part == "spooler":
            program.kill_spooler()
        elif isinstance(program, Agent) and part == "host":
            program.kill_host()
        else:
            program.kill()

    def _start(self, targets: Sequence[str]) -> None:
        for target in targets:
            self._program(target)[0].start()
        problems = [problem for target in targets if (problem := self._wait_running(target))]
        if problems:
            raise NemesisError("; ".join(problems))

    def _wait_running(self, target: str) -> str:
        """Until all of it runs; what is wrong if it ends again."""
        program, part = self._program(target)
        if isinstance(program, Node):
            wanted = set(chaos.nodes.ROLES)
        else:
            wanted = {"agent", "spooler"} if part else {"agent"}
        wait_for(lambda: wanted <= set(program.pids()) or not program.running, STEP_S, f"{target} runs again")
        if program.running:
            return ""
        return f"{program.name} ended again: …{program.log_tail()[-LOG_SHOWN:]}"

    def _restart(self, target: str) -> None:
        program, part = self._program(target)
        if part:
            raise NemesisError(f"{target}: a rolling restart is of whole nodes and agents")
        program.end()
        program.start()
        if isinstance(program, Node):
            wait_for(lambda: self._cluster.ready(program), STEP_S, f"{target} is ready again")
        elif problem := self._wait_running(target):
            raise NemesisError(problem)

    def _killed(self, fault: Fault, targets: Sequence[str]) -> Sighting:
        hit, now = self._hit.get(fault), self._pids(targets)
        evidence = f"killed {hit}, running now {now}"
        if hit is None:
            return Sighting(not all(now.values()), evidence)
        dead = not any(alive(pid) for pids in hit.values() for pid in pids.values())
        mends_itself = {target for target in targets if target.endswith(("/front", "/spooler"))}
        back = any(now[target] for target in targets if target not in mends_itself)
        return Sighting(dead and not back, evidence)


def _stopped(pid: int) -> bool:
    return state_of(pid) in ("T", "t", "", "Z")

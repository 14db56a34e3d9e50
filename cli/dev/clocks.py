"""Wrong wall clocks of nodes, by the fault shim of the chaos harness, which a node is born with.

It is compiled once for a data folder, by the C compiler that is there. Where there is none, nodes run without
it, and why is told to who asks. Until a clock is made to jump it changes nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.processes import module_command, module_environment

SHIM = "chaos.nemesis.shim"  #: a program here: its library and control file are its own matter
COMPILE_S = 60.0


class Clocks:
    """Of the nodes of one development cluster."""

    def __init__(self, directory: Path, nodes: Sequence[str]) -> None:
        self._directory = directory
        made = self._ask("build", str(directory), *(str(self._control(node)) for node in nodes))
        self._library = made.stdout.strip() if made.returncode == 0 else ""
        self.missing = None if self._library else f"no wrong clocks here: {made.stderr.strip()[-300:]}"

    def environment(self, node: str) -> Mapping[str, str]:
        """What its processes are to be born with."""
        if self.missing:
            return {}
        return {"LD_PRELOAD": self._library, "CRONCLAVE_SHIM": str(self._control(node))}

    def jump(self, node: str, ms: int) -> None:
        """Its wall clock is off by so much from now on; 0 puts it right."""
        self._ask("skew", str(self._control(node)), str(ms))

    def _control(self, node: str) -> Path:
        return self._directory / f"{node}.clock"

    def _ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            module_command(SHIM, *arguments), env=module_environment(os.environ), capture_output=True,
            text=True, timeout=COMPILE_S, check=False,
        )  # fmt: skip

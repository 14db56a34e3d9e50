"""`python -m tests.small_steps.node --config FILE`: a node whose core takes small steps."""

from __future__ import annotations

import subprocess
import sys

from node import __main__ as this_version
from node.supervisor import Supervisor


class SmallStepsSupervisor(Supervisor):
    def _start(self, module: str) -> subprocess.Popen[bytes]:
        return super()._start(module.replace("node.core", "tests.small_steps.core", 1))


if __name__ == "__main__":
    this_version.Supervisor = SmallStepsSupervisor  # type: ignore[attr-defined]  # what its main() starts
    sys.exit(this_version.main())

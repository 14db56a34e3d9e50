"""`python -m tests.next_format.node --config FILE`: a node of the next version."""

from __future__ import annotations

import subprocess
import sys

from node import __main__ as this_version
from node.supervisor import Supervisor


class NextSupervisor(Supervisor):
    """Starts the core and the front of the next version."""

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        return super()._start(module.replace("node.", "tests.next_format.", 1))


if __name__ == "__main__":
    this_version.Supervisor = NextSupervisor  # type: ignore[attr-defined]  # what its main() starts
    sys.exit(this_version.main())

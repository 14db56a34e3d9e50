"""The core of a node that takes small steps."""

from __future__ import annotations

import sys

from node.core import main
from scheduler.machine.steps import staging

if __name__ == "__main__":
    staging.ITEMS_A_STEP = 1
    sys.exit(main())

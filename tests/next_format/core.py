"""The core of a node of the next version."""

from __future__ import annotations

import sys

from node.core import main
from tests.next_format import learn

if __name__ == "__main__":
    learn(slice_rows=5)
    sys.exit(main())

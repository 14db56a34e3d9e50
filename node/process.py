"""`python -m node.process MODULE …`: MODULE as one of a node's processes.

Nothing looks for garbage while it is loaded, until `keep_loaded`: there is none yet, and to look for it took
an eighth of the CPU of a start.
"""

from __future__ import annotations

import gc
import runpy
import sys

if __name__ == "__main__":
    gc.disable()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

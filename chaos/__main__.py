"""`python -m chaos`: what `cronclave chaos` starts."""

from __future__ import annotations

import sys

from chaos.commands import main

if __name__ == "__main__":
    sys.exit(main())

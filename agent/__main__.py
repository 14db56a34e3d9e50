"""python -m agent --config FILE"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from agent.config import ConfigError, load
from agent.runtime import serve


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("CRONCLAVE_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # every request is a line of its own
    try:
        config = load(sys.argv[1:], os.environ)
    except ConfigError as error:
        print(f"agent: {error}", file=sys.stderr)
        return 1
    return asyncio.run(serve(config))


if __name__ == "__main__":
    sys.exit(main())

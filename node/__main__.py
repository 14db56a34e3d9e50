"""`python -m node --config FILE`: one node until it is stopped."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from pathlib import Path

from node.config import ConfigError, load_config
from node.identity import PRIVATE, load_identity, lock_data
from node.supervisor import EXIT_REFUSED, Supervisor


def configure_logging(name: str) -> None:
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s.%(msecs)03d %(levelname)-7s {name} %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


def keep_loaded() -> None:
    """What is loaded by now stays: no full collection of garbage looks at it again, which would take a loop
    30 ms in a core and 100 ms in a front. From now on garbage is looked for (node/process.py)."""
    gc.enable()
    gc.collect()
    gc.freeze()


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave node", description="Run one scheduler node.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the node's TOML file")
    arguments = parser.parse_args()
    configure_logging("supervisor")
    os.umask(PRIVATE)
    try:
        config = load_config(arguments.config)
        lock_data(config.data)
        load_identity(config)
    except ConfigError as error:
        print(f"cronclave node: {error}", file=sys.stderr)
        return EXIT_REFUSED
    return Supervisor(config, arguments.config.absolute()).run()


if __name__ == "__main__":
    sys.exit(main())

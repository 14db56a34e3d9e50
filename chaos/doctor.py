"""Which drivers can run on this machine, and how to get the others."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from chaos.nemesis import Unavailable
from chaos.nemesis.disk import why_no_own_disks
from chaos.nemesis.namespaces import why_not as why_no_namespaces
from chaos.nemesis.shim import build
from chaos.nemesis.toxi_server import buildable, go, real_server, why_not_real

COMPILER = "install a C compiler (Debian: gcc libc6-dev)"


@dataclass(frozen=True, slots=True)
class Finding:
    driver: str
    breaks: str  #: what it is for
    unavailable: Unavailable | None
    detail: str = ""  #: how it would run here


def examine() -> list[Finding]:
    """Every driver, able to run here or not. Each is tried in the small; nothing stays changed."""
    shim = _why_no_shim()
    return [
        Finding("process", "processes killed, stopped, restarted; zones lost", None),
        Finding(
            "toxiproxy",
            "links cut, slow, narrow, refused: each through a proxy of its own",
            why_not_real(),
            _server(),
        ),
        Finding("stand-in", "the same links, where toxiproxy-server cannot be had", None),
        Finding(
            "switch", "packets cut, lost, doubled, late: hosts as network namespaces", why_no_namespaces()
        ),
        Finding("disk", "full disks: a small file system for each node", why_no_own_disks()),
        Finding("torn tail", "journals that lost the end of their last write", None),
        Finding("sync error", "disks that fail to sync: the fault shim", shim),
        Finding("clock", "one node's wall clock is wrong: the fault shim", shim),
    ]


def _server() -> str:
    server, compiler = real_server(), go()
    if server is not None or compiler is None or why_not_real() is not None:
        return str(server or "")
    return f"{compiler} builds {buildable(compiler)} when it is first needed"


def _why_no_shim() -> Unavailable | None:
    with tempfile.TemporaryDirectory() as scratch:
        made = build(Path(scratch))
    return None if isinstance(made, Path) else Unavailable(made, COMPILER)

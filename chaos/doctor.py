"""Which drivers can run on this machine, and how to get the others."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.nemesis import Unavailable


@dataclass(frozen=True, slots=True)
class Finding:
    driver: str
    breaks: str  #: what it is for
    unavailable: Unavailable | None
    detail: str = ""  #: how it would run here


def examine() -> list[Finding]:
    """Every driver, able to run here or not; looks without changing anything."""
    return [Finding("process", "processes killed, stopped, restarted; zones lost", None)]

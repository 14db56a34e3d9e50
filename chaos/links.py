"""What lies between the hosts of a cluster: one of three kinds of links.

    direct      loopback; links cannot be broken
    toxiproxy   loopback; every link goes through a TCP proxy of its own: each direction between two nodes,
                each agent to each node, the client to each node. It swallows, delays or refuses a stream.
    switch      every host has a network namespace; every packet crosses a switch, which drops, delays or
    doubles it

The two that break differ on purpose: a proxy keeps the TCP connection while bytes vanish, a switch loses
packets, so that the kernels notice, retry and back off. Products have failed on either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from chaos.nemesis import Driver
from chaos.ports import LOOPBACK, Ports

Profile: TypeAlias = Literal["direct", "toxiproxy", "switch"]


class Links(Protocol):
    """One kind of links. The cluster calls `begin` first, then asks for addresses, then starts its
    programs."""

    @property
    def driver(self) -> Driver | None:
        """What breaks these links; None: they cannot be broken."""
        ...

    def begin(self, hosts: Sequence[str]) -> None:
        """Lay what these hosts (nodes, agents, the client) need."""
        ...

    def listen_host(self, host: str) -> str:
        """The IP address on which this host's programs listen."""
        ...

    def address(self, source: str, target: str, upstream: str) -> str:
        """The host:port that `source` dials to reach `upstream` of `target`."""
        ...

    def enter(self, host: str) -> Callable[[], None] | None:
        """What a child process calls to be on this host; None: nothing."""
        ...

    def end(self) -> None:
        """Take all of it away."""
        ...


class DirectLinks:
    """Loopback."""

    driver: Driver | None = None

    def begin(self, hosts: Sequence[str]) -> None:
        pass

    def listen_host(self, host: str) -> str:
        return LOOPBACK

    def address(self, source: str, target: str, upstream: str) -> str:
        return upstream

    def enter(self, host: str) -> Callable[[], None] | None:
        return None

    def end(self) -> None:
        pass


def make_links(profile: Profile, *, root: Path, ports: Ports, seed: int) -> Links:
    """Links of this kind; raises NemesisError where they cannot be had here, with the reason."""
    if profile == "direct":
        return DirectLinks()
    if profile == "toxiproxy":
        from chaos.nemesis.proxied import ProxiedLinks

        return ProxiedLinks(ports, seed=seed, log=root / "toxiproxy.log")
    from chaos.nemesis.switched import SwitchedLinks

    return SwitchedLinks(ports, seed=seed, log=root / "switch.log")

"""Zones: lost at once and back with old disks, or coming and going.

Rules:
1. A zone is lost as a power cut or a dead uplink loses it: first nothing leaves it any more, then its
   processes die. So nobody outside is told by the end of a connection.
2. It comes back in the other order: processes start behind dead links, then the links work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from chaos.faults import CLIENT, Cut, Fault, Kill, ZoneFlap, ZoneLoss, both_ways
from chaos.links import Links
from chaos.nemesis import NemesisError, Sighting, Unavailable
from chaos.nemesis.process import ProcessDriver
from chaos.nodes import Node
from chaos.programs import Program, wait_for


class Zones(Protocol):
    """What this driver needs of a cluster."""

    @property
    def programs(self) -> Sequence[Program]: ...

    @property
    def links(self) -> Links: ...

    def hosts_in(self, zone: str) -> list[str]: ...

    def ready(self, node: Node) -> bool: ...


class ZoneDriver:
    name = "zone"
    kinds: frozenset[type[Any]] = frozenset({ZoneLoss, ZoneFlap})

    def __init__(self, cluster: Zones) -> None:
        self._cluster = cluster
        self._processes = ProcessDriver(cluster)
        self._lost: dict[Fault, tuple[Cut, Kill, Sighting]] = {}
        self._flapping: dict[Fault, _Flapping] = {}

    def available(self) -> Unavailable | None:
        driver = self._cluster.links.driver
        if driver is None:
            return Unavailable("direct links cannot be cut", 'choose the links "toxiproxy" or "switch"')
        return driver.available()

    def inject(self, fault: Fault) -> None:
        reason = self.available()
        driver = self._cluster.links.driver
        if driver is None or reason is not None:
            raise NemesisError(f"zone driver: {reason}")
        if isinstance(fault, ZoneLoss):
            hosts = [host for zone in fault.zones for host in self._hosts(zone)]
            cut, kill = self._cut(hosts), Kill(tuple(_whole(self._cluster.programs, hosts)))
            driver.inject(cut)
            # Seen now: later nobody is left there to be reached.
            self._lost[fault] = (cut, kill, driver.verify(cut))
            self._processes.inject(kill)
        elif isinstance(fault, ZoneFlap):
            self._flapping[fault] = _Flapping(driver, self._cut(self._hosts(fault.zone)), fault.period_ms)
        else:
            raise NemesisError(f"the zone driver cannot inject {fault}")

    def heal(self, fault: Fault | None = None) -> None:
        driver = self._cluster.links.driver
        for healed in [*self._lost, *self._flapping] if fault is None else [fault]:
            if healed in self._flapping:
                self._flapping.pop(healed).end()
            elif healed in self._lost:
                cut, kill, _ = self._lost.pop(healed)
                try:
                    self._processes.heal(kill)
                finally:
                    if driver is not None:
                        driver.heal(cut)

    def verify(self, fault: Fault) -> Sighting:
        driver = self._cluster.links.driver
        if driver is None:
            raise NemesisError(f"zone driver: {self.available()}")
        if isinstance(fault, ZoneFlap):
            flapping = self._flapping.get(fault)
            if flapping is None:
                return driver.verify(self._cut(self._hosts(fault.zone)))
            return flapping.seen()
        if isinstance(fault, ZoneLoss):
            if fault in self._lost:
                _, kill, links = self._lost[fault]
            else:
                hosts = [host for zone in fault.zones for host in self._hosts(zone)]
                kill = Kill(tuple(_whole(self._cluster.programs, hosts)))
                links = driver.verify(self._cut(hosts))
            processes = self._processes.verify(kill)
            real = links.real if links.real == processes.real else None
            return Sighting(real, f"{links.evidence}; {processes.evidence}")
        raise NemesisError(f"the zone driver cannot verify {fault}")

    def _hosts(self, zone: str) -> list[str]:
        hosts = self._cluster.hosts_in(zone)
        if not hosts:
            raise NemesisError(f"there is no zone {zone!r}")
        return hosts

    def _cut(self, hosts: Iterable[str]) -> Cut:
        """All links between these hosts and the rest of the world."""
        inside = set(hosts)
        outside = [p.name for p in self._cluster.programs if p.name not in inside] + [CLIENT]
        return Cut(both_ways(sorted(inside), outside))


def _whole(programs: Sequence[Program], hosts: Iterable[str]) -> list[str]:
    """These hosts as targets of a kill that leaves nothing."""
    nodes = {program.name for program in programs if isinstance(program, Node)}
    return [host if host in nodes else f"{host}/host" for host in hosts]


class _Flapping:
    """A cut that comes and goes, until it ends."""

    def __init__(self, driver: Any, cut: Cut, period_ms: int) -> None:
        self._driver, self._cut, self._half_s = driver, cut, period_ms / 2000
        self._over = threading.Event()
        self._sightings: list[Sighting] = []  #: while cut and while mended, in turn
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chaos-flap", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._driver.inject(self._cut)
                if len(self._sightings) < 2:
                    self._sightings.append(self._driver.verify(self._cut))
                self._over.wait(self._half_s)
                self._driver.heal(self._cut)
                if len(self._sightings) < 2:
                    self._sightings.append(self._driver.verify(self._cut))
                self._over.wait(self._half_s)
        except BaseException as error:  # it belongs to whoever asks next
            self._error = error

    def seen(self) -> Sighting:
        """Whether it was seen both cut and mended."""
        wait_for(lambda: len(self._sightings) >= 2 or self._error, 20 * self._half_s + 10, "one whole period")
        if self._error is not None:
            raise NemesisError(f"the flapping zone stopped flapping: {self._error}") from self._error
        cut, mended = self._sightings[:2]
        told = f"while cut: {cut.evidence}; while mended: {mended.evidence}"
        if cut.real is None or mended.real is None:
            return Sighting(None, told)
        return Sighting(cut.real and not mended.real, told)

    def end(self) -> None:
        self._over.set()
        self._thread.join(30)
        self._driver.heal(self._cut)

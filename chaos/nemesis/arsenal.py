"""The drivers of one cluster together: who asks with a fault reaches the driver that injects it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chaos.faults import Fault
from chaos.faults import kind as kind_of
from chaos.nemesis import Driver, NemesisError, Sighting, Unavailable
from chaos.nemesis.clock import ClockDriver
from chaos.nemesis.disk import DiskDriver
from chaos.nemesis.process import ProcessDriver
from chaos.nemesis.zone import ZoneDriver

if TYPE_CHECKING:
    from chaos.cluster import Cluster


class Arsenal:
    """Driver by fault. Itself a driver, of all their faults."""

    name = "all"

    def __init__(self, drivers: Iterable[Driver]) -> None:
        self.drivers = tuple(drivers)

    @property
    def kinds(self) -> frozenset[type[Any]]:
        return frozenset().union(*(driver.kinds for driver in self.drivers))

    def available(self) -> Unavailable | None:
        """The first reason why one of them cannot run."""
        return next((reason for driver in self.drivers if (reason := driver.available()) is not None), None)

    def why_not(self, fault_type: type[Any]) -> Unavailable | None:
        """Why faults of this type cannot be injected into this cluster; None: they can."""
        driver = next((d for d in self.drivers if fault_type in d.kinds), None)
        if driver is None:
            return Unavailable(
                f"no driver of this cluster injects {fault_type.__name__}", "choose another kind of links"
            )
        if isinstance(driver, DiskDriver):  # its faults need different things
            return driver.why_not(fault_type)
        return driver.available()

    def inject(self, fault: Fault) -> None:
        self._driver(fault).inject(fault)

    def heal(self, fault: Fault | None = None) -> None:
        """Mend one, or everything: all drivers are tried, whatever one of them says."""
        if fault is not None:
            self._driver(fault).heal(fault)
            return
        problems = []
        for driver in self.drivers:
            try:
                driver.heal()
            except Exception as error:
                problems.append(f"{driver.name}: {error}")
        if problems:
            raise NemesisError("could not heal: " + "; ".join(problems))

    def verify(self, fault: Fault) -> Sighting:
        return self._driver(fault).verify(fault)

    def _driver(self, fault: Fault) -> Driver:
        for driver in self.drivers:
            if type(fault) in driver.kinds:
                return driver
        raise NemesisError(f"no driver of this cluster injects {kind_of(fault)}")


def arsenal(cluster: Cluster) -> Arsenal:
    """Every driver that this cluster has; ask `why_not` before a plan counts on one."""
    links = [] if cluster.links.driver is None else [cluster.links.driver]
    # In the order in which everything is healed: what starts again finds a disk and a clock that are well,
    # and a zone is back before its links are.
    return Arsenal(
        [DiskDriver(cluster), ClockDriver(cluster), ProcessDriver(cluster), ZoneDriver(cluster), *links]
    )

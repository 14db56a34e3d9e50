"""What the routes share: built once by `app.create_app`, reached from a request by `services_of`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from starlette.requests import Request

from api.access import Access
from api.agents.gateway import Gateway
from api.commits import ENDS, STEPS, Commits, RunWatch
from api.event_feed import EventFeed
from api.failures import Failures
from api.head_start import HeadStart
from api.known_defaults import KnownDefaults
from api.known_jobs import KnownJobs
from api.metrics import Metrics
from api.placeable import PLACES_CHANGE, Places
from api.ports import ApiSettings, Committed, Scheduler
from api.proofs import Proofs
from api.turns import Turns
from scheduler.model.by_revision import CompiledJobs
from scheduler.store.connection import Store
from scheduler.store.reads import agents as agent_reads

PLACES_S = 1.0  #: how long one look at the agents serves for jobs' states


@dataclass(slots=True)
class Services:
    scheduler: Scheduler
    settings: ApiSettings
    gateway: Gateway
    access: Access
    commits: Commits
    metrics: Metrics
    feed: EventFeed
    compiled: CompiledJobs
    head_start: HeadStart
    known_defaults: KnownDefaults
    known_jobs: KnownJobs = field(default_factory=KnownJobs)
    run_ends: RunWatch = field(default_factory=lambda: RunWatch(ENDS))
    run_steps: RunWatch = field(default_factory=lambda: RunWatch(STEPS))
    unsigned: Failures = field(
        default_factory=lambda: Failures("it is not signed; after many such ones it is not looked into")
    )  #: deliveries to hooks
    turns: Turns = field(default_factory=Turns)
    proofs: Proofs = field(default_factory=Proofs)
    followers: int = 0  #: who follows an attempt's output here
    started: bool = False
    _places: Places | None = None
    _places_until_s: float = 0.0

    def on_commit(self, commit: Committed) -> None:
        """The agents changed: look at them again."""
        if not PLACES_CHANGE.isdisjoint(commit.kinds):
            self._places = None

    def on_gap(self) -> None:
        self._places = None

    def places(self, store: Store) -> Places:
        """The agents as they are, slots aside; looked at anew each second, for who went long ago."""
        found = self.known_places()
        if found is None:
            found = self._places = Places(agent_reads.all_by_name(store), self.scheduler.now_ms())
            self._places_until_s = time.monotonic() + PLACES_S
        return found

    def known_places(self) -> Places | None:
        """None: they have to be looked at anew."""
        return self._places if time.monotonic() < self._places_until_s else None


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services

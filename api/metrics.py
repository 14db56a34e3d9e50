"""Prometheus metrics: the node's state at the time of scraping, and counters of what its commits reported.

Counters count what this process saw since it started; the state's own numbers (index, epoch) are gauges.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from api.failures import Failures
from api.ports import Committed, Proved, Scheduler, UnavailableError
from scheduler.machine.effects import FAILING
from scheduler.model.expected import WORDS
from scheduler.store.reads import expectations as expectation_reads
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.reads import reservations as reservation_reads
from scheduler.store.reads.bounds import LOOKED_MAX
from scheduler.store.state import overload
from scheduler.store.tables import differences, outbox, triggers
from scheduler.words import events as e
from scheduler.words.reasons import OVERLOAD

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


_LEFT: dict[type[e.EffectSent | e.EffectGivenUp | e.EffectDropped], str] = {
    e.EffectSent: "sent", e.EffectGivenUp: "given_up", e.EffectDropped: "dropped",
}  # fmt: skip


class RequestCounts:
    """Requests by method and status; a dictionary on the hot path, a metric when it is asked for."""

    METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}

    def count(self, method: str, status: int) -> None:
        key = (method if method in self.METHODS else "other", status)
        self.counts[key] = self.counts.get(key, 0) + 1


class _NodeCollector(Collector):
    def __init__(
        self, scheduler: Scheduler, requests: RequestCounts, failures: Failures, proved: Proved
    ) -> None:
        self._proved = proved
        self._scheduler = scheduler
        self._requests = requests
        self._failures = failures
        self.agents_here = 0

    def collect(self) -> Iterator[Metric]:
        status = self._scheduler.status()
        values: list[tuple[str, str, float]] = [
            ("index", "Commands applied so far.", self._scheduler.index),
            ("format", "Format whose rules the state follows.", status.format),
            ("format_supported", "Newest format that this node supports.", status.format_max),
            ("epoch", "Number of the current leadership.", status.epoch),
            ("raft_term", "Raft term.", status.term),
            ("leader", "1 on the leader.", status.state == "leader"),
            ("quorum", "1 while this node leads or follows a quorum.", status.quorum),
            ("ready", "1 while this node is caught up and has a quorum.", status.ready),
            ("disk_free_bytes", "Free bytes on the disk of the state.", status.free_bytes),
            ("wal_bytes", "Size of the state's write-ahead log.", status.wal_bytes),
            ("log_bytes", "Size of the Raft log.", status.log_bytes),
            ("log_entries", "Entries in the Raft log.", status.log_entries),
            (
                "core_longest_turn_seconds",
                "Longest turn of the core's loop in the last minute or two.",
                status.longest_turn_ms / 1e3,
            ),
            (
                "states_aside",
                "States that were damaged or differed from the majority's, kept for a person to look at.",
                status.states_aside,
            ),
            (
                "state_disputed",
                "1 after rows differed from the peers' and no majority said whose are wrong.",
                status.state_disputed,
            ),
            (
                "slices_compared",
                "Slices of rows compared with the peers since the start.",
                status.slices_compared,
            ),
            (
                "rounds_compared",
                "Times that all rows were gone through since the start.",
                status.rounds_compared,
            ),
            ("agents_here", "Agents that hang on this node.", self.agents_here),
        ]
        if status.commit_lag_ms is not None:
            text = "Age of the newest knowledge of the commit index; none before a leader was heard of."
            values.append(("commit_lag_seconds", text, status.commit_lag_ms / 1e3))
        for name, text, value in values:
            yield GaugeMetricFamily(f"cronclave_{name}", text, value=float(value))
        if status.turns:
            yield _histogram(
                "core_turn_seconds",
                "Turns of the core's loop: how long it looked at no socket.",
                status.turns,
                status.turns_s,
                status.turn_bounds_s,
            )
            yield _histogram(
                "core_turn_cpu_seconds",
                "The same turns by their processor time.",
                status.work,
                status.work_s,
                status.turn_bounds_s,
            )
        peers = GaugeMetricFamily(
            "cronclave_peer_reachable", "1 while the peer answers.", labels=["peer", "zone"]
        )
        for peer in status.peers:
            peers.add_metric([peer.node, peer.zone], float(peer.reachable))
        yield peers
        expiries = GaugeMetricFamily(
            "cronclave_certificate_expiry_timestamp_seconds",
            "End of the certificates in use, in seconds since 1970.",
            labels=["use"],
        )
        for use, ends_ms in sorted(status.certificates.items()):
            expiries.add_metric([use], ends_ms / 1000)
        yield expiries
        requests = GaugeMetricFamily(
            "cronclave_http_requests", "Requests answered since the start.", labels=["method", "status"]
        )
        for (method, code), count in sorted(self._requests.counts.items()):
            requests.add_metric([method, str(code)], count)
        yield requests
        wrong = CounterMetricFamily(
            "cronclave_wrong_tokens",
            "Tokens that the cluster does not have.",
            labels=["judged"],
        )
        wrong.add_metric(["unknown"], self._failures.count)
        wrong.add_metric(["limited"], self._failures.refused)
        yield wrong
        yield from self._of_state()

    def _of_state(self) -> Iterator[Metric]:
        """Nothing while this node has no state to read."""
        now_ms = self._scheduler.now_ms()
        try:
            with self._scheduler.read() as store:
                depth, overloaded = outbox_reads.depth(store), overload(store) is not None
                failing = outbox_reads.failing(store, None, FAILING, LOOKED_MAX)
                difference = differences.get(store)
                first_ms = triggers.next_fire_ms(store)
                unmet = expectation_reads.counts(store, LOOKED_MAX)
                reserved = reservation_reads.counts(store)
        except UnavailableError:
            return
        yield GaugeMetricFamily(
            "cronclave_overloaded",
            "1 while more is declared to be due than can be started.",
            value=float(overloaded),
        )
        yield GaugeMetricFamily(
            "cronclave_ledger_differences",
            "Places in which the ledger differs from what was due, as the leader has found; 0: none.",
            value=0.0 if difference is None else float(difference.problems),
        )
        if self._proved.whole_ms is not None:
            yield GaugeMetricFamily(
                "cronclave_ledger_proved_timestamp_seconds",
                "Up to when this node, which leads or led, has looked through all of the ledger.",
                value=self._proved.whole_ms / 1000,
            )
        yield GaugeMetricFamily(
            "cronclave_tick_lateness_seconds",
            "How late the tick is that is due longest and not decided; 0: none is late.",
            value=0.0 if first_ms is None else max(0, now_ms - first_ms) / 1000,
        )
        ahead = GaugeMetricFamily(
            "cronclave_reserved_ticks",
            "Ticks that agents have in advance (policies.autonomy), by whether their agent is connected.",
            labels=["connected"],
        )
        ahead.add_metric(["true"], reserved.connected)
        ahead.add_metric(["false"], reserved.away)
        yield ahead
        yield GaugeMetricFamily(
            "cronclave_agents_alone",
            "Agents that are away and go on with what they have in advance, where they run.",
            value=reserved.agents_away,
        )
        yield GaugeMetricFamily(
            "cronclave_reserved_overdue_seconds",
            "How long the oldest tick is due of which an agent that is away has not told; 0: none is.",
            value=0.0 if reserved.first_away_ms is None else max(0, now_ms - reserved.first_away_ms) / 1000,
        )
        rows = GaugeMetricFamily(
            "cronclave_outbox",
            "Effects in the outbox: that wait to be sent, and that were given up.",
            labels=["state"],
        )
        rows.add_metric([outbox.WAITING], depth.waiting)
        rows.add_metric([outbox.GIVEN_UP], depth.given_up)
        yield rows
        yield GaugeMetricFamily(
            "cronclave_receivers_failing",
            "Receivers of notices that take nothing: of whom several tries in a row arrived nowhere.",
            value=len(failing),
        )
        lacking = GaugeMetricFamily(
            "cronclave_expectations_unmet",
            f"Expectations that do not hold now, by what does not, among {LOOKED_MAX}.",
            labels=["what"],
        )
        for what in WORDS:
            lacking.add_metric([what], unmet.get(what, 0))
        yield lacking
        age_ms = 0 if depth.oldest_ms is None else max(0, now_ms - depth.oldest_ms)
        yield GaugeMetricFamily(
            "cronclave_outbox_oldest_seconds",
            "Age of the oldest effect that waits to be sent.",
            value=age_ms / 1000,
        )


def _histogram(name: str, text: str, counts: Sequence[int], total: float, bounds: Sequence[float]) -> Metric:
    labels = [*map(str, bounds), "+Inf"]
    buckets = list(zip(labels, map(float, itertools.accumulate(counts)), strict=True))
    return HistogramMetricFamily(f"cronclave_{name}", text, buckets=buckets, sum_value=total)


class Metrics:
    """Listens to commits (`api.commits`) and renders the exposition text."""

    def __init__(self, scheduler: Scheduler, failures: Failures, proved: Proved) -> None:
        self.requests = RequestCounts()
        self._registry = CollectorRegistry()
        self._node = _NodeCollector(scheduler, self.requests, failures, proved)
        self._registry.register(self._node)
        self._ticks = Counter(
            "cronclave_ticks", "Ticks decided, by outcome.", ["outcome"], registry=self._registry
        )
        self._shed = Counter(
            "cronclave_ticks_shed",
            "Ticks that ended without a run since more was due than could be started, by outcome.",
            ["outcome"],
            registry=self._registry,
        )
        self._runs = Counter("cronclave_runs", "Runs ended, by state.", ["state"], registry=self._registry)
        self._warned = Counter(
            "cronclave_runs_warned", "Runs that succeeded with a warning.", registry=self._registry
        )
        self._started = Counter("cronclave_runs_started", "Runs started.", registry=self._registry)
        self._attempts = Counter(
            "cronclave_attempts", "Attempts ended, by state.", ["state"], registry=self._registry
        )
        self._effects = Counter(
            "cronclave_effects",
            "Effects that left the outbox: sent, given up, dropped by a person; and that a person muted.",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._unmet = Counter(
            "cronclave_expectations_unmet_told",
            "Expectations that did not hold, by what did not.",
            ["what"],
            registry=self._registry,
        )
        self._children: dict[tuple[int, str], Counter] = {}
        self._leaders = Counter("cronclave_leader_changes", "Leaderships begun.", registry=self._registry)

    def on_commit(self, commit: Committed) -> None:
        for tick in commit.of(e.TickDecided):
            self._child(self._ticks, tick.outcome).inc(tick.count)
            if tick.reason == OVERLOAD:
                self._child(self._shed, tick.outcome).inc(tick.count)
        ended = commit.of(e.RunEnded)
        for state, count in collections.Counter(run.state for run in ended).items():
            self._child(self._runs, state).inc(count)
        for run in ended:
            if run.warned and run.state == "succeeded":
                self._warned.inc()
        for state, count in collections.Counter(each.state for each in commit.of(e.AttemptEnded)).items():
            self._child(self._attempts, state).inc(count)
        started, led = len(commit.of(e.RunStarted)), len(commit.of(e.Led))
        if started:
            self._started.inc(started)
        if led:
            self._leaders.inc(led)
        for left, word in _LEFT.items():
            for event in commit.of(left):
                self._effects.labels(event.kind, word).inc()
        if muted := len(commit.of(e.EffectMuted)):
            self._effects.labels("", "muted").inc(muted)
        for unmet in commit.of(e.ExpectationUnmet):
            self._child(self._unmet, unmet.what).inc()

    def _child(self, counter: Counter, label: str) -> Counter:
        """Looking a label up costs more than counting: once for each."""
        child = self._children.get((id(counter), label))
        if child is None:
            child = self._children[id(counter), label] = counter.labels(label)
        return child

    def on_gap(self) -> None:
        """Counters miss what was lost; nothing to repair."""

    def render(self, agents_here: int) -> bytes:
        self._node.agents_here = agents_here
        return generate_latest(self._registry)

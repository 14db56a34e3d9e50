"""The jobs of any revision as the machine reads them, for what is explained and planned."""

from __future__ import annotations

from api.services import Services
from scheduler.explain.runs import Compiled
from scheduler.machine.rules.graphs import Graph, build
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables.runs import Run


def compiled_by(services: Services, store: Store) -> Compiled:
    def compiled(job: int, revision: int, namespace: str, name: str) -> CompiledJob:
        spec = job_reads.spec_of(store, job, revision)
        assert spec is not None
        return services.compiled.get(job, revision, lambda: spec)

    return compiled


def graph_of(compiled: Compiled, run: Run) -> Graph:
    return build(compiled(run.job, run.revision, run.namespace, run.name))

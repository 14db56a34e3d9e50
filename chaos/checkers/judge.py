"""All checkers over one case, and what they say together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chaos.case import Case
from chaos.checkers import (
    Finding,
    Verdict,
    approvals,
    arrivals,
    audit,
    boots,
    completions,
    days,
    deliveries,
    dispatch,
    durable,
    graphs,
    gravest,
    hands,
    held,
    licences,
    lifecycle,
    linear,
    liveness,
    many,
    narrow,
    needs,
    notices,
    objects,
    results,
    secrets,
    ticks,
    vacuity,
    windows,
    workflows,
)

CHECKERS = (
    ticks, results, held, boots, deliveries, graphs, workflows, hands, approvals, completions, many,
    windows, licences, notices, audit, secrets, objects, narrow, needs, arrivals, days, linear, dispatch,
    durable, lifecycle, liveness, vacuity,
)  # fmt: skip


def judge(case: Case) -> list[Finding]:
    """What each checker says."""
    return [checker.check(case) for checker in CHECKERS]


def verdict_of(findings: list[Finding]) -> Verdict:
    return gravest([finding.verdict for finding in findings])


def to_json(findings: list[Finding]) -> dict[str, Any]:
    return {"verdict": verdict_of(findings), "findings": [asdict(finding) for finding in findings]}

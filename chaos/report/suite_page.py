"""The page of several cases: one line for each, the gravest first, with the sums of all."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from chaos.checkers import GRAVEST_FIRST
from chaos.report.numbers import failovers, faults_by_kind, leader_changes, percentile
from chaos.report.page import SAID, document, headlines, table
from chaos.suite import Judged, verdict_of_all

LINES = 3


def suite_page(directory: Path, found: Sequence[Judged]) -> str:
    verdict = verdict_of_all(list(found))
    ordered = sorted(found, key=lambda judged: GRAVEST_FIRST.index(judged.verdict))
    passed = sum(judged.verdict == "pass" for judged in found)
    rows = [
        (
            f'<span class="tag {judged.verdict}">{judged.verdict}</span>',
            f'<a href="{escape(judged.directory.relative_to(directory).as_posix())}/report.html">'
            f"{escape(judged.name)}</a>",
            escape(str(judged.case.plan.get("links"))),
            escape(", ".join(step["action"] for step in judged.case.plan.get("steps", []))),
            "<br>".join(escape(line) for line in headlines(judged)[:LINES]),
        )
        for judged in ordered
    ]
    cases = table(("verdict", "plan", "links", "faults", "what broke"), rows)
    seeds = sorted({str(judged.case.plan.get("seed")) for judged in found})
    body = (
        f'<header class="{verdict}"><h1>{escape(SAID[verdict])}</h1>'
        f"<p>{passed} of {len(found)} plans passed; "
        f"seed {', '.join(seeds)}</p></header>{numbers(found)}{cases}"
    )
    return document(f"chaos: {verdict}", body)


def numbers(found: Sequence[Judged]) -> str:
    """The sums of a soak."""
    cases = [judged.case for judged in found]
    took = [failover.took_s * 1000 for case in cases for failover in failovers(case)]
    tiles = [
        ("operations", sum(len(case.operations) for case in cases)),
        (
            "ticks due",
            sum(f.counts.get("due", 0) for judged in found for f in judged.findings if f.checker == "ticks"),
        ),
        ("starts", sum(len(case.starts) for case in cases)),
        ("faults", sum(faults_by_kind(cases).values())),
        ("leaderships", sum(len(leader_changes(case)) for case in cases)),
        ("fault → new leader p50", f"{percentile(took, 0.5):.0f} ms"),
        ("p99", f"{percentile(took, 0.99):.0f} ms"),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in tiles)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(faults_by_kind(cases).items()))
    return f'<dl class="tiles">{cells}</dl><p class="facts">faults by kind: {escape(kinds)}</p>'

"""The page of several cases: one line for each, the gravest first, with the sums of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from chaos.checkers import GRAVEST_FIRST
from chaos.report.numbers import failovers, faults_by_kind, leader_changes, percentile
from chaos.report.page import SAID, document, headlines, table
from chaos.suite import Judged, verdict_of_all

LINES = 3


@dataclass(frozen=True, slots=True)
class Sums:
    """What is counted of one case; the case itself is not kept."""

    headlines: tuple[str, ...]
    operations: int
    starts: int
    leaderships: int
    faults: Counter[str]
    failovers_ms: tuple[float, ...]


def sums(judged: Judged, page: str) -> Sums:
    case = judged.case
    return Sums(
        tuple(headlines(judged, case, page=page)[:LINES]),
        len(case.operations),
        len(case.starts),
        len(leader_changes(case)),
        faults_by_kind([case]),
        tuple(failover.took_s * 1000 for failover in failovers(case)),
    )


def _page(directory: Path, judged: Judged) -> str:
    return f"{judged.directory.relative_to(directory).as_posix()}/report.html"


def suite_page(directory: Path, found: Sequence[Judged]) -> str:
    verdict = verdict_of_all(list(found))
    counted = sorted(
        ((judged, sums(judged, _page(directory, judged))) for judged in found),
        key=lambda one: GRAVEST_FIRST.index(one[0].verdict),
    )
    passed = sum(judged.verdict == "pass" for judged in found)
    rows = [
        (
            f'<span class="tag {judged.verdict}">{judged.verdict}</span>',
            f'<a href="{escape(_page(directory, judged))}">{escape(judged.name)}</a>',
            escape(str(judged.plan.get("links"))),
            escape(", ".join(step["action"] for step in judged.plan.get("steps", []))),
            "<br>".join(told.headlines),
        )
        for judged, told in counted
    ]
    cases = table(("verdict", "plan", "links", "faults", "what broke"), rows)
    seeds = sorted({str(judged.plan.get("seed")) for judged in found})
    body = (
        f'<header class="{verdict}"><h1>{escape(SAID[verdict])}</h1>'
        f"<p>{passed} of {len(found)} plans passed; "
        f"seed {', '.join(seeds)}</p></header>{numbers(counted)}{cases}"
    )
    return document(f"chaos: {verdict}", body)


def numbers(counted: Sequence[tuple[Judged, Sums]]) -> str:
    """The sums of a soak."""
    told = [one for _, one in counted]
    took = [took_ms for one in told for took_ms in one.failovers_ms]
    faults: Counter[str] = sum((one.faults for one in told), Counter())
    tiles = [
        ("operations", sum(one.operations for one in told)),
        (
            "ticks due",
            sum(
                f.counts.get("due", 0)
                for judged, _ in counted
                for f in judged.findings
                if f.checker == "ticks"
            ),
        ),
        ("starts", sum(one.starts for one in told)),
        ("faults", sum(faults.values())),
        ("leaderships", sum(one.leaderships for one in told)),
        ("fault → new leader p50", f"{percentile(took, 0.5):.0f} ms"),
        ("p99", f"{percentile(took, 0.99):.0f} ms"),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in tiles)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items()))
    return f'<dl class="tiles">{cells}</dl><p class="facts">faults by kind: {escape(kinds)}</p>'

"""The page of one case: the verdict and its reasons first, then the picture, then the tables behind it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from html import escape
from typing import Any

from chaos.case import Band, Case
from chaos.checkers import Finding, Offence
from chaos.report.numbers import failovers, leader_changes, operation_counts, percentile
from chaos.report.style import STYLE
from chaos.report.targets import hosts, whom
from chaos.report.timeline import Timeline
from chaos.suite import Judged

HEADLINES = 3
AROUND_S = 3.0
TARGETS = ("node", "nodes", "processes", "zone", "zones")
SAID = {
    "pass": "PASS",
    "violation": "VIOLATION",
    "unknown": "UNKNOWN: could not be decided, which is no pass",
    "invalid": "INVALID: too little happened to say anything, which is no pass",
}


def page(judged: Judged) -> str:
    case, findings = judged.case, judged.findings
    title = f"chaos: {judged.name}, seed {case.plan.get('seed')}: {judged.verdict}"
    body = [
        _banner(judged, case),
        f'<section class="picture">{Timeline(case, findings).svg()}{_legend()}</section>',
        _numbers(case),
        _findings(findings),
        _offences(case, findings),
        _steps(case),
        _notes(case),
    ]
    return document(title, "".join(body))


def document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], *, ids: Iterable[str] = ()) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    names = iter(ids)
    lines = []
    for row in rows:
        name = next(names, "")
        anchor = f' id="{name}"' if name else ""
        lines.append(f"<tr{anchor}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>")
    rows_html = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{rows_html}</table></div>'


def zero_s(case: Case) -> float:
    """What the picture counts from."""
    return case.phases.get("up", case.phases.get("start", 0.0))


def when(case: Case, at_s: float | None) -> str:
    return "" if at_s is None else f"{at_s - zero_s(case):.1f} s"


def faults_at(case: Case, at_s: float | None) -> str:
    """Which faults held then, or had just ended."""
    if at_s is None:
        return ""
    held = [_with_hosts(case, b) for b in case.bands if b.began_s <= at_s <= b.ended_s]
    shortly = [
        f"{at_s - b.ended_s:.0f} s after {_with_hosts(case, b)}"
        for b in case.bands
        if b.ended_s < at_s <= b.ended_s + 15 and not held
    ]
    return ", ".join(held or shortly[-1:])


def _with_hosts(case: Case, band: Band) -> str:
    found = hosts(case, band)
    return f"{band.action} ({', '.join(found)})" if found else band.action


def headlines(judged: Judged, case: Case, *, page: str = "") -> list[str]:
    """What broke, when, under which fault, as HTML: a line for each kind, each checker's first before any
    second, the earliest first. `page`: where its rows are, if not in this document."""
    ranked: list[tuple[bool, int, float, str]] = []
    for finding in judged.findings:
        if finding.verdict == "pass":
            continue
        kinds: dict[str, list[tuple[int, Offence]]] = {}
        for number, offence in enumerate(finding.offences):
            kinds.setdefault(offence.kind, []).append((number, offence))
        unsure = finding.verdict != "violation"
        for rank, found in enumerate(kinds.values()):
            at_s = found[0][1].at_s
            line = _headline(case, finding.checker, found, page)
            ranked.append((unsure, rank, float("inf") if at_s is None else at_s, line))
        if not kinds:
            ranked.append((unsure, 0, 0.0, escape(f"{finding.checker}: {finding.summary}")))
    return [line for *_, line in sorted(ranked, key=lambda one: one[:3])]


def _headline(case: Case, checker: str, found: list[tuple[int, Offence]], page: str) -> str:
    number, first = found[0]
    times = f" ({len(found)} times)" if len(found) > 1 else ""
    at = f" at <b>{when(case, first.at_s)}</b>" if first.at_s is not None else ""
    under = faults_at(case, first.at_s)
    what = f'<a href="{escape(page)}#o-{checker}-{number}"><b>{escape(first.kind)}</b></a>{times}'
    fault = f", under <b>{escape(under)}</b>" if under else ""
    return f"{what}{at}{fault}: {escape(first.detail)} <small>({checker})</small>"


def _banner(judged: Judged, case: Case) -> str:
    plan = judged.plan
    lines = headlines(judged, case)
    more = f"<li>… and {len(lines) - HEADLINES} more kinds below</li>" if len(lines) > HEADLINES else ""
    items = "".join(f"<li>{line}</li>" for line in lines[:HEADLINES]) + more
    steps = ", ".join(step["action"] for step in plan.get("steps", []))
    replay = f"cronclave chaos replay {shlex.quote(str(judged.directory))} --out NEW"
    return (
        f'<header class="{judged.verdict}"><h1>{escape(SAID[judged.verdict])}</h1>'
        f"{f'<ul>{items}</ul>' if items else '<p>Every checker looked and found nothing wrong.</p>'}</header>"
        f'<p class="facts"><b>{escape(judged.name)}</b> · profile {escape(str(plan.get("profile")))} · '
        f"seed <b>{plan.get('seed')}</b> · links {escape(str(plan.get('links')))} · {escape(steps)}</p>"
        f'<p class="facts">Again: <code>{escape(replay)}</code></p>'
    )


def _legend() -> str:
    return (
        '<p class="legend"><span class="k leads"></span>leads <span class="k follows"></span>follows '
        '<span class="k gone"></span>silent <span class="k band"></span>fault '
        '<span class="k hit"></span>the host it meant '
        '<span class="k led"></span>new leader <span class="k start"></span>start '
        '<span class="k none"></span>tick without a start (skipped, coalesced, missed) '
        '<span class="k gap"></span>gap '
        '<span class="k away"></span>agent away <span class="bad">▲</span> offence</p>'
    )


def _numbers(case: Case) -> str:
    counts, found = operation_counts(case), failovers(case)
    took = [failover.took_s * 1000 for failover in found]
    tiles = [
        ("operations", f"{counts['ok']} ok, {counts['fail']} refused, {counts['info']} unknown"),
        ("starts", str(len(case.starts))),
        (
            "faults seen by canaries",
            f"{sum(b.real is True for b in case.bands)} of {len(case.plan.get('steps', []))}",
        ),
        ("leaderships", str(len(leader_changes(case)))),
    ]
    if took:
        tiles.append(
            (
                "fault → new leader, p50 / p99 / max",
                f"{percentile(took, 0.5):.0f} / {percentile(took, 0.99):.0f} / {max(took):.0f} ms",
            )
        )
        tiles.append(("longest silence in a failover", f"{max(f.silence_s for f in found):.1f} s"))
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{cells}</dl>'


def _findings(findings: Iterable[Finding]) -> str:
    rows = [
        (f'<span class="tag {f.verdict}">{f.verdict}</span>', escape(f.checker), escape(f.summary))
        for f in findings
    ]
    return f"<h2>Checkers</h2>{table(('verdict', 'checker', 'said'), rows)}"


def _offences(case: Case, findings: Iterable[Finding]) -> str:
    found = [(f.checker, n, offence) for f in findings for n, offence in enumerate(f.offences)]
    if not found:
        return ""
    found.sort(key=lambda one: float("inf") if one[2].at_s is None else one[2].at_s)
    ids = [f"o-{checker}-{number}" for checker, number, _ in found]
    rows = [
        (
            when(case, offence.at_s),
            escape(f"{checker}: {offence.kind}"),
            escape(offence.detail),
            escape(faults_at(case, offence.at_s)),
            _around(case, offence),
        )
        for checker, _, offence in found
    ]
    heads = ("when", "what", "detail", "under", "operations and lines")
    return f"<h2>Offences</h2>{table(heads, rows, ids=ids)}"


def _around(case: Case, offence: Offence) -> str:
    """The operation itself, what payloads of this run wrote, what else was asked of this job just then."""
    lines: list[dict[str, Any]] = []
    if offence.run is not None:
        lines += [
            {
                "t": when(case, m.at_s), "line": m.what, "run": m.run, "task": m.task, "round": m.round,
                "attempt": m.attempt, "agent": m.agent,
            }
            for m in case.marks
            if m.run == offence.run
        ]  # fmt: skip
        lines += [run for run in case.final.get("runs", []) if run["id"] == offence.run]
    for op in case.operations:
        near = offence.at_s is not None and abs(op.began_s - offence.at_s) < AROUND_S
        if op.id == offence.operation or (near and offence.job and op.arguments.get("job") == offence.job):
            lines.append(
                {
                    "t": when(case, op.began_s), "id": op.id, "process": op.process, "op": op.op,
                    **op.arguments, "outcome": op.outcome, **op.result,
                }
            )  # fmt: skip
    if not lines:
        return ""
    text = "\n".join(json.dumps(line) for line in lines[:30])
    return f"<details><summary>{len(lines)}</summary><pre>{escape(text)}</pre></details>"


def _steps(case: Case) -> str:
    skipped = {e["n"]: e["reason"] for e in case.history if e["kind"] == "fault" and e["phase"] == "skipped"}
    bands = {band.number: band for band in case.bands}
    rows = []
    for number, step in enumerate(case.plan.get("steps", [])):
        band = bands.get(number)
        if band is None:
            reason = escape(skipped.get(number, "never reached"))
            said = f'<span class="tag invalid">could not run</span> {reason}'
            rows.append((str(number), escape(step["action"]), "", "", said))
            continue
        seen = {True: "seen", False: "not seen", None: "unknown"}[band.real]
        gone = {True: "seen to end", False: "not seen to end", None: "end unknown"}[band.gone]
        more = {k: v for k, v in band.fault.items() if k not in ("kind", "pairs", *TARGETS) and v}
        fault = f"{band.fault.get('kind')} {whom(band.fault)}" + (f" {json.dumps(more)}" if more else "")
        evidence = "\n".join(
            f"{e['phase']}: {e['evidence']}" for e in case.history
            if e["kind"] == "fault" and e["n"] == number and "evidence" in e
        )  # fmt: skip
        details = f"<details><summary>{seen}, {gone}</summary><pre>{escape(evidence)}</pre></details>"
        told = details + (escape(band.problem) if band.problem else "")
        rows.append(
            (str(number), escape(step["action"]), f"{when(case, band.began_s)} – {when(case, band.ended_s)}",
             escape(fault), told)
        )  # fmt: skip
    return f"<h2>Faults</h2>{table(('step', 'action', 'when', 'fault', 'canary'), rows)}"


def _notes(case: Case) -> str:
    notes = [e for e in case.history if e["kind"] in ("note", "restarted")]
    items = "".join(
        f"<li>{when(case, note['t'])}: {escape(note.get('text') or note['name'] + ' was started again')}</li>"
        for note in notes
    )
    return f"<h2>Notes</h2><ul>{items}</ul>" if items else ""

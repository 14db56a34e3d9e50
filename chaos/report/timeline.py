"""The picture: time from left to right; lanes for nodes, agents and jobs; faults as bands behind all of them.

node    filled where it leads, thin where it follows, hatched where it does not answer
agent   a stroke for each start there; a light band where one that comes and goes is away
job     a stroke for each start; a hollow one for a tick that was skipped, coalesced or missed; red between
        two starts of the steady job that lie too far apart
▲       an offence, linked to its row; a ring on the lane of its job
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from chaos.case import Band, Case, milliseconds
from chaos.checkers import Finding
from chaos.checkers.liveness import PULSE, pulse_gaps
from chaos.report.numbers import leader_changes
from chaos.report.targets import hosts, whom

WIDTH, LEFT, RIGHT = 1180, 130, 16
LANE, TOP, NAMES = 20, 30, 15
GAP_S = 2.5
LABEL_ROWS = 3


class Timeline:
    def __init__(self, case: Case, findings: Iterable[Finding]) -> None:
        self.case = case
        self.offences = [
            (offence, f"o-{finding.checker}-{number}")
            for finding in findings
            for number, offence in enumerate(finding.offences)
        ]
        phases = case.phases
        self.from_s = phases.get("up", phases.get("start", 0.0))
        last_s = case.history[-1]["t"] if case.history else self.from_s + 1
        self.until_s = max(phases.get("final", last_s), self.from_s + 1)
        nodes = sorted({entry["node"] for entry in case.history if entry["kind"] == "view"})
        agents = sorted({mark.agent for mark in case.marks} | {name for name, _, _ in case.absences})
        jobs = sorted(
            {mark.job for mark in case.marks} | set(case.declared), key=lambda job: (job != PULSE, job)
        )
        self.lanes: list[tuple[str, str]] = [("node", name) for name in nodes]
        self.lanes += [("agent", name) for name in agents] + [("job", name) for name in jobs]
        self.labels = self._labels()
        rows = 1 + max((row for _, row, _ in self.labels), default=0)
        self.top = TOP + rows * NAMES
        self.height = self.top + (len(self.lanes) + 2) * LANE + 26

    def svg(self) -> str:
        parts = [*self._bands(), *self._grid()]
        y = self.top
        before = ""
        for kind, name in self.lanes:
            y += LANE // 2 if before and before != kind else 0
            bad = any(offence.job == name for offence, _ in self.offences) if kind == "job" else False
            tone = "lane bad" if bad else "lane"
            parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" class="{tone}">{escape(name)}</text>')
            rule = y + LANE - 3
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{rule}" y2="{rule}" class="rule"/>')
            draw = {"node": self._node, "agent": self._agent, "job": self._job}[kind]
            parts += self._hits(name, y) if kind != "job" else []
            parts += draw(name, y + 3, LANE - 7)
            y += LANE
            before = kind
        parts += self._marks(y)
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="what happened when">'
            '<defs><pattern id="gone" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><rect width="3" height="6" class="gone"/></pattern></defs>'
            f"{''.join(parts)}</svg>"
        )

    def _x(self, at_s: float) -> float:
        share = (at_s - self.from_s) / (self.until_s - self.from_s)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0), 1)

    def _labels(self) -> list[tuple[float, int, Band]]:
        """(x, row, band) of the name of each fault, so that none covers another where that can be."""
        found = []
        ends = [float("-inf")] * LABEL_ROWS
        for band in self.case.bands:
            width = 6.4 * len(band.action)
            x = min(self._x(band.began_s), WIDTH - RIGHT - width)  # a label stays on the picture
            row = next((r for r in range(LABEL_ROWS) if ends[r] < x), LABEL_ROWS - 1)
            ends[row] = x + width + 6
            found.append((x, row, band))
        return found

    def _bands(self) -> list[str]:
        parts = []
        for band in self.case.bands:
            x, right = self._x(band.began_s), self._x(band.ended_s)
            tone = "band" if band.real is True and not band.problem else "band doubtful"
            parts.append(
                f'<rect x="{x}" y="{TOP - 12}" width="{max(right - x, 2)}" height="{self.height - TOP - 10}" '
                f'class="{tone}"><title>{escape(_told(band))}</title></rect>'
            )
        for x, row, band in self.labels:
            text = f'<text x="{x + 2}" y="{TOP + row * NAMES}" class="fault">{escape(band.action)}'
            parts.append(f"{text}<title>{escape(_told(band))}</title></text>")
        return parts

    def _hits(self, name: str, y: int) -> list[str]:
        """This host's lane while a fault meant it."""
        parts = []
        for band in self.case.bands:
            if name in hosts(self.case, band):
                x, right = self._x(band.began_s), self._x(band.ended_s)
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{max(right - x, 2):.1f}" height="{LANE - 3}" class="hit">'
                    f"<title>{escape(_told(band))}</title></rect>"
                )
        return parts

    def _grid(self) -> list[str]:
        length_s = self.until_s - self.from_s
        step_s = next((s for s in (1, 2, 5, 10, 30, 60, 300) if length_s / s <= 16), 600)
        parts = []
        for n in range(int(length_s / step_s) + 1):
            x = self._x(self.from_s + n * step_s)
            parts.append(f'<line x1="{x}" x2="{x}" y1="{self.top}" y2="{self.height - 20}" class="grid"/>')
            parts.append(f'<text x="{x}" y="{self.height - 6}" class="time">{n * step_s} s</text>')
        for change in leader_changes(self.case):
            if change.at_s <= self.from_s:
                continue
            x = self._x(change.at_s)
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="{self.top - 4}" y2="{self.height - 20}" class="led">'
                f"<title>{escape(change.node)} leads, epoch {change.epoch}</title></line>"
            )
        return parts

    def _node(self, name: str, y: int, height: int) -> list[str]:
        views = [e for e in self.case.history if e["kind"] == "view" and e["node"] == name]
        parts = []
        stretch: tuple[str, float] | None = None
        for entry in [*views, {"t": self.until_s, "state": "the end"}]:
            state = str(entry["state"])
            if stretch is not None and state != stretch[0]:
                parts.append(self._stretch(*stretch, entry["t"], y, height))
                stretch = None
            stretch = stretch or (state, entry["t"])
        return parts

    def _stretch(self, state: str, since_s: float, until_s: float, y: int, height: int) -> str:
        x, width = self._x(since_s), max(self._x(until_s) - self._x(since_s), 1)
        told = f"<title>{escape(state)} for {until_s - since_s:.1f} s</title>"
        if state == "leader":
            return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="leads">{told}</rect>'
        if state == "silent":
            return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="url(#gone)">{told}</rect>'
        return (
            f'<rect x="{x}" y="{y + height / 2 - 1}" width="{width}" height="3" class="follows">{told}</rect>'
        )

    def _agent(self, name: str, y: int, height: int) -> list[str]:
        parts = []
        for visitor, since_s, until_s in self.case.absences:
            x, right = self._x(since_s), self._x(until_s)
            if visitor == name and right > x:
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{right - x:.1f}" height="{height}" class="away">'
                    f"<title>{escape(name)} is away for {until_s - since_s:.1f} s</title></rect>"
                )
        found = [mark.at_s for mark in self.case.starts if mark.agent == name]
        return [*parts, _strokes({self._x(at_s) for at_s in found}, y, height, "start")]

    def _job(self, name: str, y: int, height: int) -> list[str]:
        parts = []
        if name == PULSE:
            for since_s, until_s in pulse_gaps(self.case):
                if until_s - since_s > GAP_S:
                    x, width = self._x(since_s), self._x(until_s) - self._x(since_s)
                    parts.append(
                        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="gap">'
                        f"<title>no start for {until_s - since_s:.1f} s</title></rect>"
                    )
        starts = {self._x(mark.at_s) for mark in self.case.starts if mark.job == name}
        parts.append(_strokes(starts, y, height, "start"))
        told = self.case.final.get("ticks", {}).get(name, [])
        edge_s = self.case.phases.get("until", self.until_s)
        none = {
            self._x(at_s)
            for tick in told
            if tick["outcome"] not in ("ran", "pending")
            and (at_s := self.case.at_s(milliseconds(tick["at"]))) < edge_s
        }
        parts.append(_strokes(none, y + height // 2, height // 2, "none"))
        for offence, _ in self.offences:
            if offence.job == name and offence.at_s is not None:
                x, middle = self._x(offence.at_s), y + height // 2
                parts.append(f'<circle cx="{x}" cy="{middle}" r="8" class="ring"/>')
        return parts

    def _marks(self, y: int) -> list[str]:
        parts = []
        if any(offence.at_s is not None for offence, _ in self.offences):
            parts.append(f'<text x="{LEFT - 8}" y="{y + 22}" class="lane bad">offences</text>')
        for offence, anchor in self.offences:
            if offence.at_s is None:
                continue
            x = self._x(offence.at_s)
            told = escape(f"{offence.kind}: {offence.detail}")
            parts.append(
                f'<a href="#{anchor}"><line x1="{x}" x2="{x}" y1="{self.top}" y2="{y + 10}" class="offence"/>'
                f'<path d="M{x - 5} {y + 22} h10 l-5 -11 z" class="mark"><title>{told}</title></path></a>'
            )
        return parts


def _strokes(xs: Iterable[float], y: int, height: int, tone: str) -> str:
    path = "".join(f"M{x} {y}v{height}" for x in sorted(xs))
    return f'<path d="{path}" class="{tone}"/>' if path else ""


def _told(band: Band) -> str:
    lasted = f"for {band.ended_s - band.began_s:.1f} s"
    return f"{band.action}: {band.fault.get('kind')} {whom(band.fault)} {lasted} {band.problem}"

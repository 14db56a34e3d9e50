"""`python -m bench compare`: this code beside another revision (`--against REV`) or beside another product
(`--peer dkron=PATH`), in one sitting on one machine.

Rules of this file:

1. Contestants take turns, a pair a round: whatever the machine does meanwhile happens to both. The one that
   begins changes from round to round. Each gets a new cluster for each benchmark.
2. The figure to go by is CPU per operation, summed over all processes of the product and told by kind: on a
   noisy machine wall time says little. The ratio is that of a pair; of several the median, with the least and
   most.
3. An operation counts when it was answered as done, a tick when its run succeeded.
4. Both get the same requests from the same generator, which is no part of either.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import dkron, machine, own
from bench.builds import HERE, UnknownRevisionError, check_out
from bench.client import UnansweredError
from bench.cluster import DeadlineError
from bench.dkron import Dkron
from bench.figures import Contestant, Figures, Row, Sample, UnmeasuredError
from bench.own import OwnBuild
from bench.rows import NONE

Pairs = dict[str, list[tuple[Sample, Sample]]]
"""By the key of a row: the first contestant's and the second's."""


def compare(
    contestants: tuple[Contestant, Contestant], benchmarks: Sequence[str], *, pairs: int, duration_s: float
) -> tuple[Pairs, list[str]]:
    """The pairs of samples of each row, and what broke off."""
    found: Pairs = {}
    broken: list[str] = []
    unmeasured: set[str] = set()
    for pair in range(pairs):
        for name in benchmarks:
            if name in unmeasured:
                continue
            order = contestants if pair % 2 == 0 else contestants[::-1]
            figures: dict[str, Figures] = {}
            try:
                for contestant in order:
                    figures[contestant.name] = contestant.measure(name, duration_s)
            except UnmeasuredError as error:
                unmeasured.add(name)
                broken.append(f"{name}: not measured: {error}")
                continue
            except (DeadlineError, UnansweredError) as error:
                broken.append(f"pair {pair + 1}, {name}: {error}")
                continue
            first, second = (figures[contestant.name] for contestant in contestants)
            for key in (key for key in first if key in second):
                found.setdefault(key, []).append((first[key], second[key]))
                told = f"{first[key].total:.3f} → {second[key].total:.3f}"
                print(f"pair {pair + 1}, {key}: {told}", file=sys.stderr, flush=True)
    return found, broken


def table(names: tuple[str, str], rows: Iterable[Row], found: Pairs) -> str:
    """Medians, and the ratios of the pairs with the least and the most of them."""
    lines = [
        f"| what | {names[0]} | {names[1]} | ratio | by kind of process |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        pairs = found.get(row.key)
        if not pairs:
            continue
        sides = [[pair[side].total for pair in pairs] for side in (0, 1)]
        what = f"{row.words} (more is better)" if row.is_rate else row.words
        cells = [what, *map(_median_and_range, sides), _ratios(*sides), _kinds(pairs)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median_and_range(values: Sequence[float]) -> str:
    middle = _digits(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_digits(min(values))} to {_digits(max(values))})"


def _digits(value: float) -> str:
    """Three that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratios(before: Sequence[float], after: Sequence[float]) -> str:
    ratios = [second / first for first, second in zip(before, after, strict=True) if first]
    if not ratios:
        return NONE
    return f"× {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _kinds(pairs: Sequence[tuple[Sample, Sample]]) -> str:
    told = []
    for kind in sorted({kind for pair in pairs for sample in pair for kind in sample.each} - {""}):
        sides = [[pair[side].each.get(kind, 0.0) for pair in pairs] for side in (0, 1)]
        first, second = map(statistics.median, sides)
        told.append(f"{kind} {first:.3g} → {second:.3g}")
    return ", ".join(told) or NONE


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__.partition("\n\n")[0])
    kinds = f"of {', '.join(own.BENCHMARKS)}; default all that both can do"
    made.add_argument("only", nargs="*", choices=[*own.BENCHMARKS, []], metavar="KIND", help=kinds)
    other = made.add_mutually_exclusive_group(required=True)
    other.add_argument("--against", metavar="REV", help="a revision that git knows")
    other.add_argument("--peer", metavar="dkron=PATH", help="another product's program")
    made.add_argument("--pairs", type=int, default=5, metavar="N", help="rounds, each with both")
    made.add_argument("--duration", type=float, default=8.0, metavar="S", help="of each load")
    made.add_argument("--data", type=Path, metavar="DIR", help="where the clusters live")
    return made


class UsageError(Exception):
    """What was asked for cannot be; the text names the option."""


def _contestants(
    asked: argparse.Namespace, directory: Path
) -> tuple[tuple[Contestant, Contestant], list[str]]:
    """The two, and the benchmarks that both can do. Raises UsageError."""
    if asked.against is not None:
        try:
            other = check_out(asked.against, directory)
        except UnknownRevisionError as error:
            raise UsageError(f"--against {asked.against}: {error}") from None
        return (OwnBuild(other, asked.data), OwnBuild(HERE, asked.data)), list(own.BENCHMARKS)
    product, _, path = asked.peer.partition("=")
    binary = dkron.find(path) if product == "dkron" and path else None
    if binary is None:
        raise UsageError(f"--peer {asked.peer}: give dkron=PATH, the path of its program")
    return (Dkron(binary, asked.data), OwnBuild(HERE, asked.data)), list(dkron.BENCHMARKS)


def main(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cronclave-bench-", dir=asked.data) as directory:
        try:
            contestants, possible = _contestants(asked, Path(directory))
            if strange := sorted(set(asked.only) - set(possible)):
                raise UsageError(f"--peer {asked.peer}: it has no {', '.join(strange)}")
        except UsageError as error:
            print(error, file=sys.stderr)
            return 2
        benchmarks = asked.only or possible
        found, broken = compare(contestants, benchmarks, pairs=asked.pairs, duration_s=asked.duration)
    for fact in machine.facts(asked.data):
        print(f"- {fact}")
    rows = [row for name in benchmarks for row in own.BENCHMARKS[name].rows]
    names = (contestants[0].name, contestants[1].name)
    print(f"- {asked.pairs} pairs, each load {asked.duration:g} s; medians (least to most)\n")
    print(table(names, rows, found))
    for text in broken:
        print(f"- broke off: {text}")
    return 1 if broken else 0

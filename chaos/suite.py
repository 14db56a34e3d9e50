"""Several plans one behind the other, each in a folder of its own, and one verdict for all.

Rules: a run that could not even begin is an environment problem (exit 3), never a pass. What was judged
is kept beside the files it was judged from (verdict.json), and can be judged again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.case import Case, read_case
from chaos.checkers import Finding, Verdict, gravest
from chaos.checkers.judge import judge, to_json, verdict_of
from chaos.plan import PLAN

SUITE = "suite.json"
VERDICT = "verdict.json"
EXITS: dict[Verdict, int] = {"pass": 0, "violation": 1, "invalid": 2, "unknown": 2}
ENVIRONMENT = 3
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in a case. It holds no case: a soak of hours has hundreds, of some 30 MB each."""

    name: str
    directory: Path
    plan: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def case(self) -> Case:
        """Read anew each time."""
        return read_case(self.directory)

    @property
    def verdict(self) -> Verdict:
        return verdict_of(list(self.findings))


def cases(directory: Path) -> list[Path]:
    """The folders of the cases here: the directory itself, or those that its suite names."""
    suite = directory / SUITE
    if suite.exists():
        return [directory / name for name in json.loads(suite.read_text())["cases"]]
    return [directory]


def write_suite(directory: Path, names: list[str], facts: dict[str, Any]) -> None:
    """Which cases this directory holds. A suite has a plan.json too, of its cases' plans."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SUITE).write_text(json.dumps({"cases": names, **facts}, indent=1) + "\n")


def judge_directory(directory: Path) -> list[Judged]:
    """Every case here, judged anew. Raises ValueError where there is no case."""
    return [judge_case(folder) for folder in cases(directory)]


def judge_case(folder: Path) -> Judged:
    """This case, judged anew."""
    if not (folder / PLAN).exists():
        raise ValueError(f"{folder}: no {PLAN}; is it the --out of a run?")
    case = read_case(folder)
    findings = judge(case)
    (folder / VERDICT).write_text(json.dumps(to_json(findings), indent=1) + "\n")
    return Judged(str(case.plan.get("name", folder.name)), folder, case.plan, tuple(findings))


def verdict_of_all(found: list[Judged]) -> Verdict:
    return gravest([judged.verdict for judged in found]) if found else "invalid"

"""The commands of the harness: doctor, run, replay, check, shrink, report.

Exit codes: 0 every checker passed, 1 a violation, 2 invalid or unknown (too little happened, or could not be
decided), 3 this machine cannot run it, or wrong usage.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from chaos import doctor, interpreter, scenarios
from chaos.abreast import abreast
from chaos.drill import run_drill
from chaos.links import make_links
from chaos.nemesis import NemesisError
from chaos.plan import Plan, read_plan, shrink, write_plan
from chaos.ports import Ports
from chaos.programs import DeadlineError
from chaos.report import write_report
from chaos.run import run_plan
from chaos.suite import (
    ENVIRONMENT,
    EXITS,
    Judged,
    judge_case,
    judge_directory,
    verdict_of_all,
    write_suite,
)

_Task = tuple[Plan, Path, tuple[int, int]]  # a plan, its folder, the ports that it may take of

SEED_MAX = 1 << 31
PORTS = (27_000, 28_000)
DESCRIPTION = "Break a cluster on purpose and judge what it did meanwhile."


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.act(options)
    except (ValueError, NemesisError, DeadlineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ENVIRONMENT
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cronclave chaos", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: object, help_text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_text, description=help_text)
        made.set_defaults(act=act)
        return made

    command("doctor", _doctor, "Which drivers can run on this machine, and how to get the others.")
    run = command("run", _run, "Run a profile and judge it.")
    run.add_argument("--profile", choices=scenarios.PROFILES, default="smoke")
    run.add_argument("--seed", type=int, help="what the plans are drawn from; random and printed by default")
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty directory")
    run.add_argument("--minutes", type=float, default=2, help="of a soak or drill")
    run.add_argument("--hours", type=float, help="the same in hours")
    run.add_argument("--links", choices=("direct", *scenarios.LINKS), help="one kind of links for all plans")
    run.add_argument("--scenario", action="append", help="of the ci profile, only this one; may be repeated")
    run.add_argument(
        "--skip-missing", action="store_true", help="of ci: leave out what this machine cannot run"
    )
    run.add_argument("--cluster", type=Path, metavar="FILE", help="the staging cluster of a drill")
    run.add_argument(
        "--at-once", type=int, default=1, metavar="N", help="so many scenarios of ci beside each other"
    )
    _add_ports(run)
    replay = command("replay", _replay, "Run the stored plan of DIR again.")
    replay.add_argument("directory", type=Path, metavar="DIR")
    replay.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_ports(replay)
    check = command("check", _check, "Judge again what a run left in DIR.")
    check.add_argument("directory", type=Path, metavar="DIR")
    smaller = command("shrink", _shrink, "Find a shorter plan with the same violation.")
    smaller.add_argument("directory", type=Path, metavar="DIR")
    smaller.add_argument("--out", type=Path, required=True, metavar="DIR")
    smaller.add_argument("--runs", type=int, default=20, help="at most so many")
    _add_ports(smaller)
    report = command("report", _check, "Judge again, and write report.html and junit.xml anew.")
    report.add_argument("directory", type=Path, metavar="DIR")
    return parser


def _add_ports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ports", default=f"{PORTS[0]}-{PORTS[1]}", metavar="LOW-HIGH", help="of loopback")


def _ports(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    are_numbers = low.isascii() and low.isdigit() and high.isascii() and high.isdigit()
    if not (are_numbers and 1024 <= int(low) < int(high) <= 65_535):
        raise ValueError(f"--ports {text}: two numbers of 1024 to 65535, such as 27000-28000")
    return int(low), int(high)


def _at_once(options: argparse.Namespace) -> int:
    most = len(scenarios.CI) if options.profile == "ci" else 1
    if not 1 <= options.at_once <= most:
        why = f"1 to {most}" if most > 1 else "only scenarios of the ci profile run beside each other"
        raise ValueError(f"--at-once {options.at_once}: {why}")
    return int(options.at_once)


def _say(text: str, *, of: str = "") -> None:
    print(f"  {time.strftime('%H:%M:%S')} {of and f'{of}: '}{text}", flush=True)


# -- the commands


def _doctor(_: argparse.Namespace) -> int:
    missing = 0
    print(interpreter.describe())
    for found in doctor.examine():
        missing += found.unavailable is not None
        can = "yes" if found.unavailable is None else "NO "
        print(f"{can}  {found.driver:<10} {found.breaks}{f' ({found.detail})' if found.detail else ''}")
        if found.unavailable is not None:
            print(f"     {found.unavailable}")
    return ENVIRONMENT if missing else 0


def _run(options: argparse.Namespace) -> int:
    directory: Path = options.out
    _must_be_new(directory)
    ports, at_once = _ports(options.ports), _at_once(options)
    seed = random.SystemRandom().randrange(SEED_MAX) if options.seed is None else options.seed
    print(f"profile {options.profile}, seed {seed}")
    if options.profile == "drill":
        if options.cluster is None:
            raise ValueError("a drill needs --cluster FILE, which names the staging cluster")
        run_drill(options.cluster, directory, seed, options.minutes, _say)
        return _tell(directory, judge_directory(directory))
    minutes = options.minutes if options.hours is None else 60 * options.hours
    _tell_missing(must_have_all=options.profile == "ci" and not options.skip_missing)
    choices = [options.links] if options.links else usable_links(ports)
    if options.profile == "smoke":
        links = scenarios.links_of(seed, choices)
        plan = scenarios.random_plan("smoke", seed, links, scenarios.possible(links))
        return _conduct_one(replace(plan, skips_allowed=True, calm_ms=3_000), directory, ports)
    plans: Iterable[Plan]
    if options.profile == "ci":
        plans = scenarios.ci_plans(seed, choices)
        if options.scenario:
            plans = _named(plans, options.scenario)
        plans = [replace(plan, skips_allowed=options.skip_missing) for plan in plans]
    else:
        plans = scenarios.soak_plans(seed, choices)
    return _conduct_all(plans, directory, ports, seed, minutes, options.profile, at_once)


def _tell_missing(*, must_have_all: bool) -> None:
    """What cannot be broken here and how to get it. Raises NemesisError where all of it is wanted: a run that
    leaves things out must not look like one that broke everything."""
    found = [driver for driver in doctor.examine() if driver.unavailable is not None]
    for driver in found:
        print(f"missing: {driver.driver}: {driver.unavailable}", file=sys.stderr)
    if found and must_have_all:
        names = ", ".join(driver.driver for driver in found)
        raise NemesisError(f"this machine cannot break everything ({names}); --skip-missing runs the rest")


def _named(plans: Iterable[Plan], names: Sequence[str]) -> list[Plan]:
    unknown = sorted(set(names) - set(scenarios.CI))
    if unknown:
        raise ValueError(f"--scenario {unknown[0]}: there is none; known: {', '.join(scenarios.CI)}")
    return [plan for plan in plans if plan.name in names]


def usable_links(ports: tuple[int, int]) -> list[str]:
    """The kinds of links that can be broken here, by laying them; loopback alone where there are none."""
    found = []
    for profile in scenarios.LINKS:
        try:
            links = make_links(
                profile,  # type: ignore[arg-type]  # one of LINKS
                root=Path(tempfile.gettempdir()),
                ports=Ports(*ports),
                seed=0,
            )
        except NemesisError:
            continue
        if links.driver is not None and links.driver.available() is None:
            found.append(profile)
    return found or ["direct"]


def _must_be_new(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"--out {directory}: it holds something already; name a new or empty directory")


def _conduct_one(plan: Plan, directory: Path, ports: tuple[int, int]) -> int:
    from chaos.cluster import Shape

    print(f"plan {plan.name}, links {plan.links}: {', '.join(step.action for step in plan.steps)}")
    run_plan(plan, directory, shape=Shape(ports=ports), say=_say)
    return _tell(directory, judge_directory(directory))


def _conduct_all(
    plans: Iterable[Plan],
    directory: Path,
    ports: tuple[int, int],
    seed: int,
    minutes: float,
    profile: str,
    at_once: int,
) -> int:
    until_s = time.monotonic() + minutes * 60
    names: list[str] = []

    def tasks() -> Iterator[_Task]:
        for number, plan in enumerate(plans):
            if profile == "soak" and time.monotonic() > until_s:
                break
            name = f"{number:03d}-{plan.name}"
            names.append(name)
            write_suite(directory, names, {"profile": profile, "seed": seed})
            print(f"{name}, links {plan.links}: {', '.join(step.action for step in plan.steps)}", flush=True)
            yield plan, directory / name, ports

    def tell(judged: Judged) -> None:
        _tell_findings(judged, only_bad=True)

    return _tell(directory, abreast(_conduct_and_judge, tasks(), at_once=at_once, tell=tell))


def _conduct_and_judge(task: _Task) -> Judged:
    from chaos.cluster import Shape

    plan, folder, ports = task
    try:
        run_plan(plan, folder, shape=Shape(ports=ports), say=partial(_say, of=plan.name))
    except (NemesisError, DeadlineError) as error:
        # The checkers call it invalid: reads are missing.
        print(f"  error: {plan.name}: {error}", file=sys.stderr, flush=True)
    judged = judge_case(folder)
    write_report(judged.directory, [judged])
    return judged


def _replay(options: argparse.Namespace) -> int:
    _must_be_new(options.out)
    return _conduct_one(read_plan(options.directory), options.out, _ports(options.ports))


def _check(options: argparse.Namespace) -> int:
    return _tell(options.directory, judge_directory(options.directory))


def _shrink(options: argparse.Namespace) -> int:
    from chaos.cluster import Shape

    _must_be_new(options.out)
    plan, ports = read_plan(options.directory), _ports(options.ports)
    wanted = {
        o.kind for judged in judge_directory(options.directory) for f in judged.findings for o in f.offences
    }
    if not wanted:
        raise ValueError(f"{options.directory}: nothing was found in it; there is nothing to shrink")

    def fails(fewer: Plan) -> bool:
        with tempfile.TemporaryDirectory(prefix="cronclave-chaos-") as scratch:
            folder = Path(scratch) / "run"
            print(f"trying {', '.join(step.action for step in fewer.steps)}", flush=True)
            run_plan(fewer, folder, shape=Shape(ports=ports), say=_say)
            found = judge_directory(folder)
            kinds = {o.kind for judged in found for f in judged.findings for o in f.offences}
            if kinds & wanted:
                shutil.copytree(folder, options.out, dirs_exist_ok=True)
            return bool(kinds & wanted)

    smaller, runs = shrink(plan, fails, runs_max=options.runs)
    write_plan(smaller, options.out)
    print(f"{len(plan.steps)} steps became {len(smaller.steps)} in {runs} runs")
    return 0


def _tell_findings(judged: Judged, *, only_bad: bool = False) -> None:
    """What passed first: whoever sees the last lines alone, sees what did not."""
    print(f"{judged.name}: {judged.verdict}")
    for finding in sorted(judged.findings, key=lambda finding: finding.verdict != "pass"):
        if only_bad and finding.verdict == "pass":
            continue
        print(f"  {finding.verdict:<9} {finding.checker:<9} {finding.summary}")
        for offence in finding.offences[:5]:
            print(f"            {offence.kind}: {offence.detail}", flush=True)


def _tell(directory: Path, found: list[Judged]) -> int:
    """The report, and its words on the terminal."""
    write_report(directory, found)
    for judged in sorted(found, key=lambda judged: judged.verdict != "pass"):
        _tell_findings(judged)
    verdict = verdict_of_all(found)
    print(f"{verdict.upper()}: {directory / 'report.html'}")
    return EXITS[verdict]

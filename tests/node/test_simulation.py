"""Stories with the real machine, planner and SQLite files under faults: nothing is found in the product, and
the same seed is the same story."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

from node.simulation import exits, instants
from node.simulation.world import JobsWorld

SEEDS = (*range(1, 13), 17)


@cache
def told(seed: int) -> tuple[JobsWorld, str]:
    """The story of this seed and its digest, told once for all tests."""
    world = JobsWorld(seed)
    return world, world.run().digest


@pytest.mark.parametrize("seed", SEEDS)
def test_stories_with_jobs_end_well(seed: int) -> None:
    world, _ = told(seed)
    assert not world.invariants.violations, f"python -m node.simulation --mode jobs --seeds 1 --start {seed}"
    assert len(world.started) > 20
    assert len(world.acked_runs) > 5


def test_planners_of_deposed_leaders_are_refused() -> None:
    """The stories hold what they are for: plans with an old epoch reached the log and decided nothing."""
    assert sum(told(seed)[0].refused_plans for seed in SEEDS) > 0


def test_work_ended_in_the_state_while_people_paused_and_drained() -> None:
    """The stories hold what they are for. Each change of the product makes others: so little is asked."""
    worlds = [told(seed)[0] for seed in SEEDS]
    operators = [world.operators for world in worlds if world.operators is not None]
    assert sum(world.napped for world in worlds) > 2
    assert sum(world.waited for world in worlds) > 2
    assert sum(world.tidied.get("cancelled", 0) for world in worlds) > 2
    assert sum(world.approvers.answered for world in worlds if world.approvers is not None) > 2
    assert sum(world.followed for world in worlds) > 2
    assert sum(len(each.pauses) for each in operators) > 2
    assert sum(each.drains for each in operators) > 0
    assert sum(each.holds for each in operators) > 0
    assert sum(world.secrets.puts for world in worlds if world.secrets is not None) > 20


def test_plan_dates_were_closed_and_single_ticks_changed() -> None:
    found = [world.days for world in (told(seed)[0] for seed in SEEDS) if world.days is not None]
    assert sum(each.closings for each in found) > 0
    assert sum(each.changes for each in found) > 5
    assert sum(each.moves for each in found) > 0
    assert sum(each.earlier for each in found) > 0
    assert sum(each.fillings for each in found) > 5
    assert sum(each.filled for each in found) > 5


def test_ticks_came_of_instants_and_days_said_in_each_way() -> None:
    seen = [told(seed)[0].instants.seen for seed in SEEDS]
    for which in (instants.ONCE, *instants.DUE, "after"):
        assert sum(each.get(which, 0) for each in seen) > 20, which


def test_conditions_windows_and_substitutes_had_their_time() -> None:
    """What stands in the jobs of a story by instants comes about in it."""
    worlds = [told(seed)[0] for seed in SEEDS]
    met = {what: sum(world.openings.met[what] for world in worlds) for what in worlds[0].openings.met}
    met["a condition on the tick held"] = sum(world.even for world in worlds)
    met["until did not hold"] = sum(world.groups.repeated for world in worlds)
    met["a substitute took its place"] = sum(world.objects.rested for world in worlds if world.objects)
    assert min(met.values()) > 0, met


def test_what_was_expected_and_did_not_hold_was_told() -> None:
    worlds = [told(seed)[0] for seed in SEEDS]
    met = {what: sum(world.expecting.met[what] for world in worlds) for what in worlds[0].expecting.met}
    assert min(met.values()) > 0, met


def test_what_was_handed_on_was_completed_from_outside() -> None:
    found = [world.completers for world in (told(seed)[0] for seed in SEEDS) if world.completers is not None]
    assert sum(each.completed for each in found) > 20
    assert sum(each.awaited for each in found) > 20
    assert sum(each.progress for each in found) > 5
    assert sum(each.refused for each in found) > 20
    assert sum(each.again for each in found) > 5
    assert sum(each.expired for each in found) > 2


def test_zone_data_was_moved_on_between_ticks() -> None:
    found = [world.zones for world in (told(seed)[0] for seed in SEEDS) if world.zones is not None]
    assert sum(each.retimed for each in found) > 2
    assert sum(len(each.versions) > 1 for each in found) > 1


def test_deliveries_were_taken_refused_and_sent_again() -> None:
    senders = [world.senders for world in (told(seed)[0] for seed in SEEDS) if world.senders is not None]
    assert sum(each.taken for each in senders) > 20
    assert sum(each.repeated for each in senders) > 2
    assert sum(each.refused for each in senders) > 0
    assert sum(each.posted for each in senders) > 10


def test_objects_were_applied_at_once_and_in_stages_while_runs_read_them() -> None:
    """The stories hold what they are for."""
    objects = [world.objects for world in (told(seed)[0] for seed in SEEDS) if world.objects is not None]
    assert sum(each.applied for each in objects) > 20
    assert sum(each.staged for each in objects) > 2


def test_exit_codes_warned_skipped_and_were_tried_again() -> None:
    """The stories hold what they are for."""
    seen = [told(seed)[0].exits.seen for seed in SEEDS]
    sums = {code: sum(each[code] for each in seen) for code in exits.CODES}
    assert min(sums.values()) > 1, sums


def test_groups_were_begun_anew_and_their_failures_caught() -> None:
    """The stories hold what they are for."""
    found = [told(seed)[0].groups for seed in SEEDS]
    assert sum(each.anew for each in found) > 5
    assert sum(each.caught for each in found) > 0


def test_divided_tasks_ended_well() -> None:
    """The stories hold what they are for."""
    assert sum(told(seed)[0].fanouts.joined for seed in SEEDS) > 10


def test_runs_waited_for_the_quota_of_their_namespace() -> None:
    """The stories hold what they are for."""
    quotas = [world.quotas for world in (told(seed)[0] for seed in SEEDS) if world.quotas is not None]
    assert sum(each.kept_back for each in quotas) > 20


def test_locks_were_taken_one_after_the_other() -> None:
    assert sum(told(seed)[0].locks.taken for seed in SEEDS) > 20


def test_what_nobody_reported_was_told_again() -> None:
    """The stories hold what they are for: tries that arrived, and were repeated."""
    outsides = [told(seed)[0].outside for seed in SEEDS]
    assert sum(len(outside.heard) for outside in outsides) > 20
    assert sum(outside.times - len(outside.heard) for outside in outsides) > 2


def test_same_seed_is_the_same_story_in_any_process() -> None:
    """A short one: the other process has to tell all of it again."""
    code = "from node.simulation.world import simulate_jobs; print(simulate_jobs(11).digest)"
    env = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout == f"{told(11)[1]}\n"

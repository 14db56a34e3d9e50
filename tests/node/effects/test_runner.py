"""The runner of the outbox: at least once, only while leading, and a dead receiver costs nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from api.ports import NoLeaderError
from node.effects import runner as runner_module
from node.effects.contract import Parcel, UnsentError
from node.effects.runner import EXPIRED, SENDING_MAX, TARGET_MAX, Runner
from scheduler.machine.rules import sending
from scheduler.words.commands import Command, ResendEffect
from scheduler.words.outcomes import Outcome
from tests.api.single_node import CLUSTER
from tests.node.effects.parts import Noop, Telling, until, url


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Telling]:
    made = Telling(tmp_path)
    made.put("j", "a")
    yield made
    made.close()


class Office:
    def __init__(self) -> None:
        self.held = True


@contextlib.asynccontextmanager
async def running(
    node: Telling,
    effect: Noop,
    *,
    office: Office | None = None,
    propose: Callable[[Command], Awaitable[Outcome]] | None = None,
    send_s: float = 60.0,
) -> AsyncIterator[Runner]:
    holds = office or Office()
    runner = Runner(
        {effect.kind: effect}, holds_office=lambda: holds.held, open_store=node.reader,
        propose=propose or node.propose, now_ms=node.now_ms, send_s=send_s,
    )  # fmt: skip
    task = asyncio.create_task(runner.run())
    try:
        yield runner
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "LOOK_S", 0.01)
    monkeypatch.setattr(runner_module, "REPORT_PAUSE_S", 0.01)
    monkeypatch.setattr(runner_module, "REST_FIRST_S", 0.01)


async def test_what_is_committed_is_sent_and_its_row_goes(node: Telling) -> None:
    effect = Noop()
    node.fail("j")
    async with running(node, effect):
        await until(lambda: not node.outbox(), "the row is gone")

    (parcel,) = effect.heard
    assert (parcel.id, parcel.cluster) == (f"{CLUSTER}-1", CLUSTER)
    assert (parcel.target, parcel.about) == (url("a"), "failed")
    assert (parcel.facts["run"], parcel.facts["state"]) == (1, "failed")


async def test_who_does_not_lead_sends_nothing(node: Telling) -> None:
    effect, office = Noop(), Office()
    office.held = False
    node.fail("j")
    async with running(node, effect, office=office) as runner:
        for _ in range(20):
            runner.poke()
            await asyncio.sleep(0)
        assert effect.given == []
        office.held = True
        await until(lambda: effect.heard, "it is sent once the office is held")


async def test_a_try_that_failed_is_repeated_under_the_same_id_with_the_same_words(node: Telling) -> None:
    effect = Noop()
    effect.refuse(url("a"), "it answered 500")
    node.fail("j")
    async with running(node, effect):
        await until(lambda: node.row(1).attempts == 1, "the failure is in the state")
        assert node.row(1).reason == "it answered 500"
        effect.broken.clear()
        node.skew_ms += sending.LONGEST_MS
        await until(lambda: not node.outbox(), "it is sent", 30.0)

    first, *_, last = effect.given
    assert first == last == effect.heard[0]


async def test_a_leader_that_dies_between_sending_and_its_report_is_followed_by_one_that_sends_again(
    node: Telling,
) -> None:
    first, second = Noop(), Noop()
    node.fail("j")

    async def lost(command: Command) -> Outcome:
        raise NoLeaderError("the leader died")

    async with running(node, first, propose=lost):
        await until(lambda: first.heard, "the first sends")
    assert len(node.outbox()) == 1
    async with running(node, second):
        await until(lambda: not node.outbox(), "the second's report is taken")

    assert first.heard == second.heard


async def test_a_report_that_nobody_took_is_repeated_and_the_effect_is_not(node: Telling) -> None:
    effect, refusals = Noop(), [NoLeaderError("an election")] * 5
    node.fail("j")

    async def sometimes(command: Command) -> Outcome:
        if refusals:
            raise refusals.pop()
        return await node.propose(command)

    async with running(node, effect, propose=sometimes):
        await until(lambda: not node.outbox(), "the report is taken at last")

    assert len(effect.given) == 1


async def test_a_try_outlives_the_office_and_its_report_counts(node: Telling) -> None:
    effect, office = Noop(), Office()
    effect.waits[url("a")] = asyncio.Event()
    node.fail("j")
    async with running(node, effect, office=office):
        await until(lambda: effect.given, "the try has begun")
        office.held = False
        effect.waits[url("a")].set()
        await until(lambda: not node.outbox(), "the report is taken")

    assert len(effect.given) == 1


async def test_receivers_that_hang_take_no_other_s_place(node: Telling) -> None:
    effect = Noop()
    hanging = [f"hangs-{n}" for n in range(3)]
    for name in hanging:
        node.put(name, name)
        effect.waits[url(name)] = asyncio.Event()
        for _ in range(2 * TARGET_MAX):
            node.fail(name)
    node.fail("j")
    async with running(node, effect):
        await until(lambda: effect.heard, "the other one is sent")
        assert [parcel.target for parcel in effect.heard] == [url("a")]
        assert {effect.most_at_once[url(name)] for name in hanging} == {TARGET_MAX}
        for event in effect.waits.values():
            event.set()
        await until(lambda: not node.outbox(), "all are sent")

    assert len({parcel.id for parcel in effect.heard}) == len(effect.heard) == 3 * 2 * TARGET_MAX + 1


async def test_so_many_are_under_way_at_a_time_and_no_more(node: Telling) -> None:
    effect = Noop()
    for number in range(SENDING_MAX + 5):
        node.put(f"j{number}", f"t{number}")
        effect.waits[url(f"t{number}")] = asyncio.Event()
        node.fail(f"j{number}")
    async with running(node, effect):
        await until(lambda: len(effect.given) == SENDING_MAX, "as many as may")
        for event in effect.waits.values():
            event.set()
        await until(lambda: not node.outbox(), "all are sent")


async def test_a_receiver_that_failed_is_left_in_peace_and_then_asked_with_one(
    node: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REST_FIRST_S", 3_600.0)
    effect = Noop()
    effect.refuse(url("a"))
    for _ in range(3 * TARGET_MAX):
        node.fail("j")
    node.put("k", "b")
    async with running(node, effect) as runner:
        await until(lambda: sum(row.attempts for row in node.outbox()) == TARGET_MAX, "the first have failed")
        node.fail("k")
        runner.poke()
        await until(lambda: effect.heard, "another target's is sent")
        assert [parcel.target for parcel in effect.given].count(url("a")) == TARGET_MAX
        monkeypatch.setattr(runner_module, "REST_LONGEST_S", 0.0)
        runner._targets[url("a")].rests_until_s = 0.0
        effect.most_at_once.clear()
        await until(lambda: sum(row.attempts for row in node.outbox()) >= TARGET_MAX + 3, "it is asked again")
        assert effect.most_at_once[url("a")] == 1


async def test_one_that_never_answers_is_broken_off(node: Telling) -> None:
    effect = Noop()
    effect.waits[url("a")] = asyncio.Event()
    node.fail("j")
    async with running(node, effect, send_s=0.02):
        await until(lambda: node.row(1).attempts, "the try is over")

    assert node.row(1).reason == "no answer within 0.02 s"


async def test_a_defect_of_an_effect_is_a_failure_of_its_try(node: Telling) -> None:
    effect = Noop()
    effect.broken[url("a")] = ValueError("none of ours")
    node.fail("j")
    async with running(node, effect):
        await until(lambda: node.row(1).attempts, "it is reported")

    assert node.row(1).reason == "a defect: ValueError('none of ours')"


async def test_what_no_effect_is_there_for_and_what_can_never_arrive_is_given_up(node: Telling) -> None:
    class Other(Noop):
        kind = "other"

    node.fail("j")
    async with running(node, Other()):
        await until(lambda: node.row(1).state == "given_up", "it is given up")
    assert node.row(1).reason == "this version sends no webhook"
    node.apply(ResendEffect(1))
    effect = Noop()
    effect.refuse(url("a"), "nobody wants it", is_final=True)
    async with running(node, effect):
        await until(lambda: node.row(1).state == "given_up", "it is given up")

    assert node.row(1).reason == "nobody wants it"


async def test_what_waited_for_a_day_is_given_up_untried(node: Telling) -> None:
    effect = Noop()
    node.fail("j")
    node.skew_ms += sending.LIVES_MS + 1
    async with running(node, effect):
        await until(lambda: node.row(1).state == "given_up", "it is given up")

    assert (node.row(1).reason, effect.given) == (EXPIRED, [])


class Flaky(Noop):
    """Of each parcel the first try fails."""

    async def send(self, parcel: Parcel) -> None:
        if parcel.id not in {each.id for each in self.given}:
            self.given.append(parcel)
            raise UnsentError("not now")
        await super().send(parcel)


async def test_nothing_is_lost_where_half_of_all_tries_fail_and_a_leader_dies(node: Telling) -> None:
    targets = [f"t{place}" for place in range(8)]
    node.put("many", *targets)
    for _ in range(5):
        node.fail("many")
    effect, whole = Flaky(), len(node.outbox())
    assert whole == 40
    async with running(node, effect):
        await until(lambda: len(effect.given) >= 8, "some were tried")
    node.skew_ms += 60_000
    async with running(node, effect) as runner:
        while node.outbox():
            tried = len(effect.given)
            node.skew_ms += 5_000
            runner.poke()
            await until(lambda tried=tried: len(effect.given) > tried or not node.outbox(), "another try")

    assert {parcel.id for parcel in effect.heard} == {f"{CLUSTER}-{number}" for number in range(1, whole + 1)}

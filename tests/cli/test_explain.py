"""`cronclave job explain` and `cronclave run explain`."""

from __future__ import annotations

import json

from tests.cli.conftest import Command


async def test_a_run_is_explained_as_a_table_and_as_the_api_has_it(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\non: {pool: gpu}\n")
    await cronclave("job", "run", "a")

    shown = await cronclave("run", "explain", "1")
    document = json.loads((await cronclave("run", "explain", "1", "-o", "json")).out)
    written = await cronclave("run", "explain", "1", "-o", "yaml")

    assert shown.code == 0
    assert "no connected agent has pool gpu" in shown.out
    assert next(gate["gate"] for gate in document["gates"]) == "leader"
    assert "verdict: waits" in written.out


async def test_a_tick_is_explained_with_its_gates(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\ntriggers: [{every: 1h}]\n")
    await cronclave("job", "pause", "a")

    shown = await cronclave("job", "explain", "a")
    none = await cronclave("job", "explain", "a", "--at", "2031-01-01T00:00:01Z")

    assert "skipped(paused)" in shown.out
    assert "it is not due yet" in shown.out
    assert "no trigger of the job has this instant" in none.out
    assert "2031-01-01T01:00:00Z" in none.out


async def test_what_is_not_there_is_not_found(cronclave: Command) -> None:
    assert (await cronclave("run", "explain", "7")).code == 3
    assert (await cronclave("job", "explain", "nope")).code == 3
    assert (await cronclave("job", "explain", "nope", "--at", "noon")).code == 2


async def test_a_name_that_is_not_there_brings_the_near_miss(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: nightly-report\nrun: 'true'\n")
    await cronclave("apply", "-", stdin="vars: warehouse\nvalues: {a: 1}\n")
    for command in (
        ("job", "run"), ("job", "get"), ("job", "pause"), ("job", "resume"), ("job", "delete"),
        ("job", "explain"), ("job", "history"), ("job", "next"), ("job", "edit"),
    ):  # fmt: skip
        done = await cronclave(*command, "nightly-reprot", EDITOR="true")
        assert (done.code, "did you mean nightly-report? cronclave job list" in done.err) == (3, True), (
            command, done.err,
        )  # fmt: skip
    for words in (("vars", "get"), ("vars", "delete"), ("vars", "history")):
        done = await cronclave(*words, "warehous")
        assert (done.code, "did you mean warehouse?" in done.err) == (3, True), (words, done.err)
    assert "did you mean" not in (await cronclave("job", "get", "quite-another")).err

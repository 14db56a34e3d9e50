"""`cronclave expectation`, and what a run is expected to do, on a terminal."""

from __future__ import annotations

import json

from tests.cli.conftest import Command

JOB = """\
job: quiet
noop: true
expect: {end_by: 1h, output_within: 1m, at_least: {n: 1, per: 1d}}
"""


async def test_nothing_that_does_not_hold_is_an_empty_list(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOB)).code == 0

    told = await cronclave("expectation", "list", "-o", "json")
    of_job = await cronclave("expectation", "list", "--job", "quiet", "--state", "all")
    missing = await cronclave("expectation", "list", "--job", "quite")

    assert (told.code, json.loads(told.out)) == (0, [])
    assert of_job.code == 0
    assert missing.code == 3
    assert "did you mean quiet?" in missing.err


async def test_what_is_wrong_is_told_with_its_place(cronclave: Command) -> None:
    refused = await cronclave("job", "apply", "-", stdin=JOB.replace("1h", '"26:30"'))
    unknown = await cronclave("expectation", "acknowledge", "17", "--until", "+4h")
    past = await cronclave("expectation", "acknowledge", "17", "--until", "2001-01-01T00:00:00Z")

    assert refused.code == 1
    assert "26:30 is no time of the day" in refused.err
    assert ":3:" in refused.err
    assert "26h30m counts from the tick" in refused.err
    assert unknown.code == 3
    assert past.code != 0

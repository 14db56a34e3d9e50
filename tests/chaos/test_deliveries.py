"""The checker of deliveries: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.checkers import deliveries
from chaos.senders import JOB, secret_of, signed
from tests.api import hooked
from tests.chaos.stories import Story, clean

SKIPPED = [JOB, None, "skipped", "paused"]


def delivered() -> Story:
    """One that made a run and was sent again, one that was skipped, one whose answer was lost."""
    story = clean()
    for name, firings in (("d1", [[JOB, 501, None, None]]), ("d2", [SKIPPED])):
        for at_s in (101.0, 103.0):
            story.operation(at_s, "deliver", "ok", {"delivery": name}, firings=firings)
    story.operation(105.0, "deliver", "info", {"delivery": "d3"})
    story.final["runs"] += [made(501, "d1"), made(502, "d3")]
    return story


def made(run: int, delivery: str) -> dict[str, Any]:
    return {"id": run, "job": JOB, "cause": "webhook", "cause_key": f"push/{delivery}", "state": "succeeded"}


def told(story: Story) -> tuple[str, set[str]]:
    found = deliveries.check(story.case())
    return found.verdict, {offence.kind for offence in found.offences}


def test_what_was_taken_ran_once_and_what_was_skipped_did_not() -> None:
    assert told(clean()) == ("pass", set())
    assert told(delivered()) == ("pass", set())


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (made(503, "d1"), "delivered-twice"),
        (made(503, "d2"), "ran-all-the-same"),
        (made(503, "d9"), "never-sent"),
    ],
)
def test_a_run_too_many(run: dict[str, Any], kind: str) -> None:
    story = delivered()
    story.final["runs"].append(run)
    assert told(story) == ("violation", {kind})


def test_a_run_too_few_and_an_answer_that_differs() -> None:
    story = delivered()
    story.final["runs"] = [run for run in story.final["runs"] if run["id"] != 501]
    assert told(story) == ("violation", {"lost-delivery"})
    story = delivered()
    story.operation(107.0, "deliver", "ok", {"delivery": "d1"}, firings=[[JOB, 507, None, None]])
    assert told(story) == ("violation", {"told-otherwise"})


def test_it_signs_as_others_do() -> None:
    sent = signed(7, "d1", b"{}")
    at_s = int(sent["webhook-timestamp"])
    other = hooked.standard(b"{}", secret=secret_of(7), id="d1", at_s=at_s)
    assert sent["webhook-signature"] == other["webhook-signature"]

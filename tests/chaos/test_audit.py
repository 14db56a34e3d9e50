"""The checker of the audit, beside the same story without the bug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checkers import audit
from tests.chaos.stories import Story, clean


def noted() -> Story:
    """What the clean story's clients were told of is in the audit, the newest first."""
    story = clean()
    story.operation(105, "delete", "ok", {"job": "register-1", "if_match": 1}, status=204)
    common = {"kind": "job", "run": None, "before": None, "after": None}
    story.final["audit"] = [
        {**common, "number": 4, "index": 9, "action": "delete", "name": "register-1", "before": 1},
        {**common, "number": 3, "index": 8, "action": "run", "name": "manual", "run": 900},
        {**common, "number": 2, "index": 5, "action": "put", "name": "register-1", "after": 1},
        {**common, "number": 1, "index": 2, "action": "put", "kind": "token", "name": "admin"},
    ]
    return story


def kinds(story: Story) -> set[str]:
    return {offence.kind for offence in audit.check(story.case()).offences}


def test_what_was_acknowledged_is_noted_once() -> None:
    assert kinds(noted()) == set()


@pytest.mark.parametrize(
    ("kinds_of", "bug"),
    [
        ({"unnoted", "audit-gap"}, lambda entries: entries.pop(1)),
        ({"unnoted"}, lambda entries: entries[2].update(after=7)),
        ({"unnoted"}, lambda entries: entries[0].update(action="pause")),
        ({"noted-twice"}, lambda entries: entries.insert(0, {**entries[1], "number": 5, "index": 10})),
        ({"audit-gap"}, lambda entries: entries[0].update(number=5)),
        ({"audit-gap"}, lambda entries: entries[0].update(index=1)),
    ],
)
def test_an_entry_that_is_missing_doubled_or_out_of_order(
    kinds_of: set[str], bug: Callable[[list[Any]], Any]
) -> None:
    story = noted()
    bug(story.final["audit"])
    assert kinds(story) == kinds_of

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.words import lifecycle


def test_the_document_is_generated_from_the_tables() -> None:
    document = Path(lifecycle.__file__).parents[2] / "docs" / "lifecycle.md"
    assert document.read_text() == lifecycle.markdown()


@pytest.mark.parametrize("table", lifecycle.LIFECYCLES, ids=lambda table: table.noun)
def test_every_state_is_reached_and_every_step_leads_to_a_state(table: lifecycle.Lifecycle) -> None:
    reached = {after for steps in table.steps.values() for after in steps}
    assert reached == set(table.states)
    assert table.terminal


def test_terminal_states_never_change() -> None:
    with pytest.raises(lifecycle.IllegalTransitionError, match="succeeded -> failed"):
        lifecycle.step(lifecycle.RUN, "succeeded", "failed")


def test_a_legal_step_gives_the_state_after_it() -> None:
    assert lifecycle.step(lifecycle.ATTEMPT, "assigned", "granted") == "granted"

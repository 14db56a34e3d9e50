"""What the load applies is taken by the product, and says of which generation it is."""

from __future__ import annotations

import pytest

from chaos.appliers import OWNED, SHARED, Inventory, generation_of
from chaos.workload import schedule_jobs
from scheduler.model.objects.parsing import parse_document

INVENTORY = Inventory({"job": "reads", "run": "true", "triggers": {"every": "1s", "id": "each"}})


@pytest.mark.parametrize(("kind", "name"), [*SHARED, *OWNED], ids=lambda each: str(each))
def test_each_document_is_taken(kind: str, name: str) -> None:
    document = INVENTORY.document(kind, name, 7)

    assert parse_document(document).name == name
    assert generation_of(document) == 7


def test_a_run_is_given_the_first_and_the_last_of_what_is_applied() -> None:
    names = [name for _, name in SHARED]
    (job,) = [each for each in INVENTORY.shared(1) if "job" in each]

    assert job["vars"] == [names[0], names[-2]]
    assert job["job"] == names[-1]
    assert "reads" in {each.name for each, _, _ in schedule_jobs("full")}

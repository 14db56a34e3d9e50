"""The examples under docs/examples do what their pages say."""

from __future__ import annotations

from pathlib import Path

import yaml

from scheduler.verify import verify
from tests.scheduler.story import START_MS, Story

FOLDER = Path(__file__).parents[2] / "docs/examples"


def test_a_schedule_of_chronos_and_the_jobs_after_it(story: Story) -> None:
    story.connect()
    story.put(*yaml.safe_load_all((FOLDER / "chronos/jobs.yaml").read_text()))
    for _ in range(30):
        story.now_ms += 1_000
        story.settle()
    runs = story.store.rows(
        "SELECT name, count(*) FROM runs WHERE state = 'succeeded' GROUP BY name ORDER BY name"
    )
    assert runs == [("clean", 5), ("fetch", 5), ("report", 5)]
    assert story.store.value("SELECT count(*) FROM runs") == 15
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok

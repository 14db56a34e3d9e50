"""The patterns of docs/reference/workflows.md are jobs, and their pictures show those tasks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scheduler.model import parse_job

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "workflows.md"
PATTERNS = PAGE.read_text().split("\n## ")[1:]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.partition("\n")[0])
def test_a_pattern_is_a_job_and_its_picture_shows_it(pattern: str) -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", pattern, re.S)
    (text,) = re.findall(r"```yaml\n(.*?)```", pattern, re.S)
    job = parse_job(yaml.safe_load(text))

    shown = set(re.findall(r"[a-z][a-z0-9-]*", re.sub(r'\["([a-z0-9-]+).*?"\]', r" \1 ", picture)))
    assert set(job.tasks) <= shown

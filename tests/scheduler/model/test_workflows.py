"""The patterns of docs/guides/patterns are jobs, their pictures show those tasks; one page leads to all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduler.model import parse_job
from scheduler.model.documents import load_yaml

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(DOCS.glob("guides/patterns/*.md"))
PATTERNS = [
    pytest.param(part, id=f"{page.stem}: {part.partition(chr(10))[0]}")
    for page in PAGES
    for part in page.read_text().split("\n## ")[1:]
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_a_job_and_its_picture_shows_it(pattern: str) -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", pattern, re.S)
    (text,) = re.findall(r"```yaml\n(.*?)```", pattern, re.S)
    (document,) = load_yaml(text, "a pattern")
    job = parse_job(document.data)

    shown = set(re.findall(r"[a-z][a-z0-9-]*", re.sub(r'\["([a-z0-9-]+).*?"\]', r" \1 ", picture)))
    assert set(job.tasks) <= shown


def test_one_page_leads_to_all() -> None:
    index = (DOCS / "reference/workflows.md").read_text()
    assert sorted(re.findall(r"guides/patterns/([a-z-]+)\.md", index)) == [page.stem for page in PAGES]

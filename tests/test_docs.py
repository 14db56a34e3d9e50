"""What users can call or set is documented: commands, routes, settings; and links lead somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cli.reference import every_command, reference

pytestmark = pytest.mark.house

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(PROJECT.glob("*.md"))]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def everything() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def test_the_command_reference_is_up_to_date() -> None:
    assert (DOCS / "reference" / "cli.md").read_text() == reference(), "run: make docs"


@pytest.mark.parametrize("words", [" ".join(path) for path, _, _ in every_command()])
def test_every_command_is_in_the_reference(words: str) -> None:
    assert f"## {words}\n" in (DOCS / "reference" / "cli.md").read_text()


def test_every_route_is_documented() -> None:
    page = DOCS / "reference" / "api.md"
    routes = {
        (method, path)
        for source in (PROJECT / "api" / "routes").glob("*.py")
        for method, path in re.findall(r'@router\.(get|put|post|delete)\(\s*"([^"]+)"', source.read_text())
    }
    text = page.read_text()

    # The cockpit's own files are no interface.
    own = ("/cockpit", "/assets/", "/favicon.ico")
    public = [(m, re.sub(r":\w+}", "}", p)) for m, p in sorted(routes) if not p.startswith(own)]
    missing = [
        f"{m.upper()} {p}" for m, p in public if p not in text and p.replace("{kind}", "…") not in text
    ]

    assert len(public) > 20
    assert not missing


def test_every_setting_of_a_node_is_documented() -> None:
    from node.config import _SETTINGS, ENVIRONMENT

    text = (DOCS / "reference" / "node.md").read_text()

    for table, settings in _SETTINGS.items():
        for setting in settings:
            assert f"`{setting}`" in text or f"`{table}.{setting}`" in text, f"{table}.{setting}"
    for variable in ENVIRONMENT:
        assert variable in text


def test_every_setting_of_an_agent_is_documented() -> None:
    from agent.config import AgentConfig

    text = (DOCS / "reference" / "agent.md").read_text()

    for setting in fields(AgentConfig):
        assert f"`{setting.name}`" in text, setting.name


def test_every_make_target_is_explained() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets

    for target in set(targets[1].split()) - {"help", "clean", "docs"}:
        assert re.search(rf"^# make {target}\b", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        target, _, anchor = link.partition("#")
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file = page if not target else (page.parent / target)
        assert file.exists(), f"{page.name}: {link}"
        if anchor and file.suffix == ".md":
            headings = [_anchor(line) for line in file.read_text().splitlines() if line.startswith("#")]
            assert anchor in headings, f"{page.name}: {link}"


def _anchor(heading: str) -> str:
    text = re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower())
    return text.replace(" ", "-")


def test_decisions_are_numbered_and_listed() -> None:
    decisions = sorted(path.name for path in (DOCS / "decisions").glob("*.md"))

    assert len({name[:4] for name in decisions}) == len(decisions), "each has a number of its own"
    listed = (DOCS / "README.md").read_text()
    for name in decisions:
        assert f"decisions/{name}" in listed


SOURCES = sorted(
    path for path in PROJECT.glob("*/**/*.py") if ".venv" not in path.parts and path.parent.name != "findings"
)
CITED = re.compile(r'(?<![\w/.-])((?:[\w-]+/)*[\w-]+\.md)(?:, "([^"\n]+)")?')


def test_documents_that_source_files_cite_are_here() -> None:
    cited = 0
    for source in SOURCES:
        text = source.read_text()
        for name, heading in CITED.findall(text):
            if not name.startswith("docs/"):
                continue
            cited += 1
            page = PROJECT / name
            assert page.exists(), f"{source}: {name}"
            if heading:
                assert f"# {heading}\n" in page.read_text(), f"{source}: {name} has no heading {heading!r}"
        for number in re.findall(r"\(?decisions? ([0-9]{1,4})\b", text):
            assert list((DOCS / "decisions").glob(f"{int(number):04}-*.md")), f"{source}: decision {number}"
        if source != Path(__file__):
            assert not re.search(r"\((?:the )?design, section|of the design, section", text), source
    assert cited > 20

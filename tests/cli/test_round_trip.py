"""What `get` prints, `apply` takes, and nothing changes: whatever the job's texts look like to YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli.output import yaml_text
from cli.terminal import escaped_json
from scheduler.model import canonical, parse_job
from scheduler.model.documents import dump_yaml, load_yaml
from scheduler.model.quantities import format_instant
from scheduler.model.server_facts import SERVER_FACTS, definition_of
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command

FACTS: dict[str, Any] = dict.fromkeys(SERVER_FACTS, "x") | {
    "revision": 7,
    "last_run": {"id": 3, "state": "failed", "tick": None},
    "last_tick": {"at": "2026-11-29T00:00:00Z", "outcome": "ran", "reason": None, "run": 3},
}
del FACTS["definition"]

#: Texts that YAML 1.1, YAML 1.2 or a writer's line breaks make something else of.
SNARES = [
    "on", "off", "y", "n", "yes", "No", "true", "False", "NULL", "null", "~", "", " ", "1e3", ".5e3", "1.",
    "+.5", "0x1F", "0o17", "017", "1_000", "12:30:45", "1:30", "2026-11-29", "2026-11-29T00:00:00Z", "=",
    "<<", ".inf", "-.INF", ".nan", "- a", "a: b", "a #b", "#!/bin/sh", "&a", "*a", "!a", "%TAG", "@a", "`a",
    "---", "...", "a\n---\nb",
    "? a", "{a", "[a", "'", '"', "'a", '"a', "a'b\"c", "\\n", "trailing ", "trailing \n",
    " leading", "\n", "\n\n", "\na", "a\n", "a\n\n", "  a\n b\n", "a\n  b\n", "a \nb", "a\n \nb", "tab\tin",
    "\ttab", "a\t\n", "\u00e9 \u2603 \U0001f600", "\u2028", "a\u2028b", "a\u0085b", "\ufeffa", "a\u202eb",
    "\x1b[31m", "\x7f", "\u00a0", "long " * 60, "wide  gaps  " * 40, "x" * 300, "\u2603 " * 200,
    "set -e\n\necho 'a: b'  \n\tif true; then\n  echo \"$X\"\nfi\n", "a\r", "a\rb",
]  # fmt: skip
NAMES = ["on", "y", "no", "1e3", "0x1F", "017", "1_000", "null", "true", "12", "1.5", "2026-11-29", "e"]

texts = st.one_of(
    st.sampled_from(SNARES),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    st.text("ab \n\t:#-'\"\\\u2603", max_size=200),
    st.lists(st.sampled_from(SNARES), max_size=4).map("".join),
)
names = st.one_of(
    st.sampled_from(NAMES), st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,20}[a-zA-Z0-9])?", fullmatch=True)
)
scripts = texts.filter(lambda text: bool(text.strip()) and "\r" not in text and not text.startswith("\ufeff"))

labels = st.dictionaries(names, texts.filter(lambda text: len(text) <= 256), max_size=2)


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        words = draw(st.lists(texts, max_size=3))
        work: dict[str, Any] = draw(
            st.sampled_from([{"run": draw(scripts)}, {"exec": [draw(scripts), *words]}, {"noop": True}])
        )
        tasks[name] = work | {
            "env": draw(st.dictionaries(st.sampled_from(["on", "Y", "NO", "_"]), texts, max_size=3)),
            "on": {"pool": draw(names), "labels": draw(labels)},
        }
        if "noop" not in tasks[name]:
            tasks[name]["stdin"] = draw(texts)
    return {
        "job": draw(names),
        "namespace": draw(names),
        "description": draw(texts),
        "labels": draw(labels),
        "triggers": draw(st.sampled_from([[], {"cron": "0 2 * * *"}, {"at": "2020-01-01T00:00:00Z"}])),
        "params": {
            "p": {"type": "string", "default": draw(texts)},
            "x": {"type": "number", "default": draw(st.floats(allow_nan=False, allow_infinity=False))},
        },
        "tasks": tasks,
    }


@settings(max_examples=50, deadline=None)
@given(jobs())
def test_any_job_comes_back_from_what_is_printed_of_it(data: dict[str, Any]) -> None:
    job = parse_job(data)
    shape = json.loads(canonical(job))
    printed = {
        "get.yaml": yaml_text(FACTS | shape),
        "definition.yaml": yaml_text(shape),
        "import.yaml": dump_yaml([shape]),
        "get.json": escaped_json(json.dumps(FACTS | shape, indent=2, ensure_ascii=False)),
        "list.yaml": yaml_text([FACTS | shape]),
        "revision.yaml": yaml_text({"revision": 7, "definition": shape, "actor": "x"}),
    }
    for name, text in printed.items():
        (document,) = load_yaml(text, name)
        assert canonical(parse_job(definition_of(document.data))) == canonical(job), name


@settings(max_examples=150, deadline=None)
@given(texts)
@example("1.")
def test_any_text_comes_back_as_a_value_and_as_a_key(text: str) -> None:
    document = {text: text, "deep": [{"list": [text, {text: [text]}]}]}

    for written in (yaml_text(document), dump_yaml([document])):
        assert load_yaml(written, "written")[0].data == document


@pytest.mark.parametrize("snare", ["on", "y", "N", "Yes", "off", "012", "1:30", "=", "1e3", "2026-11-29"])
def test_what_yaml_1_1_takes_for_something_else_is_in_quotes(snare: str) -> None:
    """Other programs read what we print, and most still follow YAML 1.1."""
    assert yaml_text({"a": snare}).strip() in (f"a: '{snare}'", f'a: "{snare}"')


def _written(number: int, snare: str) -> dict[str, Any]:
    script = snare.replace("\r", "").lstrip("\ufeff")
    return {
        "job": f"{NAMES[number % len(NAMES)]}-{number}" if number >= len(NAMES) else NAMES[number],
        "description": snare,
        "env": {"SNARE": snare},
        "run": script if script.strip() else "true",
        "stdin": snare,
    }


async def test_what_list_and_get_print_is_applied_unchanged(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    written = [_written(number, snare) for number, snare in enumerate(SNARES)]
    (tmp_path / "all.json").write_text(json.dumps(written))
    assert f"{len(SNARES)} created" in (await cronclave("job", "apply", "all.json")).out
    await cronclave("job", "pause", "on")

    for form in ("yaml", "json"):
        listed = await cronclave("job", "list", "-o", form)
        again = await cronclave("job", "apply", "-", stdin=listed.out)
        assert f"0 created, 0 changed, {len(SNARES)} unchanged" in again.out, again.err
        for words in (("get", "on"), ("get", "1e3"), ("get", "y", "--definition")):
            got = await cronclave("job", *words, "-o", form)
            again = await cronclave("job", "apply", "-", stdin=got.out)
            assert "0 created, 0 changed, 1 unchanged" in again.out, again.err
    assert (await cronclave("job", "get", "on", "-o", "json")).out.count('"revision": 1,') == 1


async def test_a_job_whose_instant_is_over_is_applied_unchanged_and_changed(
    cronclave: Command, node: SingleNode
) -> None:
    def text(at: str, description: str = "") -> str:
        return json.dumps({"job": "once", "noop": True, "triggers": [{"at": at}], "description": description})

    node.skew_ms = -1_000_000_000
    soon = node.now_ms() + 60_000
    at = format_instant(soon)
    assert "1 created" in (await cronclave("job", "apply", "-", stdin=text(at))).out
    node.skew_ms = 0

    got = await cronclave("job", "get", "once", "-o", "yaml")
    again = await cronclave("job", "apply", "-", stdin=got.out)
    changed = await cronclave("job", "apply", "-", stdin=text(at, "more"))
    moved = await cronclave("job", "apply", "-", stdin="# one line\n" + text("2020-01-01T00:00:00Z"))

    assert "1 unchanged" in again.out, again.err
    assert "1 changed" in changed.out, changed.err
    assert moved.code == 1
    assert "(stdin):2:" in moved.err
    assert "/triggers/0/at: 2020-01-01T00:00:00Z is in the past" in moved.err


async def test_a_server_field_in_a_written_file_is_told(cronclave: Command) -> None:
    result = await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\nstate: paused\n")

    assert result.code == 1
    assert "(stdin):3:1 /state: state is told by the server and cannot be set" in result.err


async def test_an_old_revision_is_applied_as_it_was_read(cronclave: Command, node: SingleNode) -> None:
    for script in ("one", "two"):
        await cronclave("job", "apply", "-", stdin=f"job: a\nrun: {script}\n")
    url, token = cronclave.environment["CRONCLAVE_URL"], cronclave.environment["CRONCLAVE_TOKEN"]
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        old = await client.get(f"{url}/v1/jobs/a", params={"revision": 1})
    back = await cronclave("job", "apply", "-", stdin=old.text)

    assert "~ default/a  changed, revision 3" in back.out, back.err

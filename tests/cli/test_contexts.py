"""`cronclave context`, and which cluster is meant where several are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.single_node import ADMIN_TOKEN
from tests.cli.conftest import Command

NOWHERE = "http://127.0.0.1:24998"
ELSEWHERE = "http://127.0.0.1:24997"


def file_of(folder: Path) -> Path:
    return folder / "config" / "cronclave" / "contexts.toml"


def written(folder: Path, text: str, *, mode: int = 0o600) -> None:
    file_of(folder).parent.mkdir(parents=True)
    file_of(folder).write_text(text)
    file_of(folder).chmod(mode)


def url_of(command: Command) -> str:
    return command.environment["CRONCLAVE_URL"]


async def test_a_named_cluster_needs_no_address_and_no_token_any_more(
    cronclave: Command, offline: Command, tmp_path: Path
) -> None:
    told = ("--url", url_of(cronclave), "--token", "-")
    added = await offline("context", "add", "prod", *told, stdin=ADMIN_TOKEN)

    assert added.code == 0, added.err
    assert added.out.startswith("prod is in use")
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert file_of(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert (await offline("job", "list")).code == 0
    assert ADMIN_TOKEN not in (await offline("context", "list", "-o", "json")).out


async def test_the_nearest_word_says_which_cluster_is_meant(
    cronclave: Command, offline: Command, tmp_path: Path
) -> None:
    """Each that names a cluster beats those after it. One alone is there, the others refuse."""
    (tmp_path / "token").write_text(f"{ADMIN_TOKEN}\n")
    told = ("--url", url_of(cronclave), "--token-file", str(tmp_path / "token"))
    await offline("context", "add", "there", *told)
    await offline("context", "add", "gone", "--url", NOWHERE)
    await offline("context", "use", "gone")
    gone = {"CRONCLAVE_URL": NOWHERE}
    here = {"CRONCLAVE_URL": url_of(cronclave), "CRONCLAVE_TOKEN": ADMIN_TOKEN}

    async def code(*words: str, **environment: str) -> int:
        return (await offline("job", "list", *words, **environment)).code

    assert await code() == 6, "the context in use"
    (tmp_path / ".cronclave").mkdir()
    facts = {"token": ADMIN_TOKEN, "nodes": [{"url": url_of(cronclave)}], "agents": []}
    (tmp_path / ".cronclave" / "dev.json").write_text(json.dumps(facts))
    assert await code() == 0, "the dev cluster of this folder"
    assert await code(CRONCLAVE_CONTEXT="gone") == 6
    assert await code(CRONCLAVE_CONTEXT="gone", **here) == 0
    assert await code("--context", "there", **gone) == 0
    assert await code("--url", NOWHERE, CRONCLAVE_CONTEXT="there") == 6
    assert await code("--url", NOWHERE, "--context", "there") == 2


async def test_the_token_of_one_cluster_is_sent_to_no_other(cronclave: Command, offline: Command) -> None:
    """The address is the node's, the token would be right, and is not given."""
    await offline("context", "add", "prod", "--url", ELSEWHERE, "--token", ADMIN_TOKEN)
    there = ("job", "list", "--url", url_of(cronclave))

    assert (await offline(*there)).code == 4
    assert (await offline(*there, CRONCLAVE_CONTEXT="prod")).code == 4
    assert (await offline(*there, CRONCLAVE_TOKEN=ADMIN_TOKEN)).code == 0


async def test_a_context_that_is_asked_for_brings_its_own_token(cronclave: Command, offline: Command) -> None:
    await offline("context", "add", "prod", "--url", url_of(cronclave), "--token", ADMIN_TOKEN)
    await offline("context", "add", "bare", "--url", url_of(cronclave))

    assert (await offline("job", "list", "--context", "prod", CRONCLAVE_TOKEN="another")).code == 0
    assert (await offline("job", "list", "--context", "bare", CRONCLAVE_TOKEN=ADMIN_TOKEN)).code == 0
    assert (await offline("job", "list", CRONCLAVE_TOKEN="another")).code == 4, "the environment is nearer"
    assert (await offline("job", "list", "--context", "prod", "--token", "another")).code == 4


async def test_they_are_listed_used_changed_and_removed(offline: Command, tmp_path: Path) -> None:
    await offline("context", "add", "a", "--url", f"{NOWHERE},{ELSEWHERE}/")
    await offline("context", "add", "b", "--url", ELSEWHERE)
    again = await offline("context", "add", "b", "--url", NOWHERE)
    changed = await offline("context", "add", "b", "--url", NOWHERE, "--replace", "--use")

    listed = json.loads((await offline("context", "list", "-o", "json")).out)
    assert (again.code, "--replace" in again.err) == (5, True)
    assert changed.code == 0
    assert [(i["name"], i["current"], i["url"]) for i in listed] == [
        ("a", False, f"{NOWHERE},{ELSEWHERE}"), ("b", True, NOWHERE),
    ]  # fmt: skip
    assert (await offline("context", "use", "a")).out == "a is in use\n"
    assert "no context is in use" in (await offline("context", "remove", "a")).out
    assert "no cluster is known" in (await offline("job", "list")).err
    assert (await offline("context", "use", "--none")).code == 0
    assert "a" not in (await offline("context", "list")).out.split()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("use", "prud"), 3, "Did you mean prod?"),
        (("use",), 2, "or --none"),
        (("remove", "nope"), 3, "there is no context 'nope'"),
        (("add", "-x-", "--url", NOWHERE), 2, "No such option"),
        (("add", "a/b", "--url", NOWHERE), 2, "no name of a context"),
        (("add", "a", "--url", "ftp://h"), 2, "--url: 'ftp://h' is no URL"),
        (("add", "a", "--url", ","), 2, "there is no URL"),
        (("add", "a", "--url", NOWHERE, "--token", "ä"), 2, "letters that no token has"),
        (("add", "a", "--url", NOWHERE, "--token", "-"), 2, "standard input has no token"),
        (("add", "a", "--url", NOWHERE, "--token", "t", "--token-file", "/dev/null"), 2, "--token-file"),
        (("add", "a", "--url", NOWHERE, "--ca", "nope.pem"), 2, "nope.pem"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(
    words: tuple[str, ...], code: int, said: str, offline: Command
) -> None:
    await offline("context", "add", "prod", "--url", NOWHERE)

    result = await offline("context", *words)

    assert result.code == code, result.err
    assert said in result.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("current = ", "is not TOML"),
        ("contexs = 1", "contexs is no setting"),
        ("current = 1", "current must be"),
        ("contexts = 1", "contexts must be tables"),
        ("[contexts]\nprod = 1", "contexts.prod must be a table"),
        ("[contexts.'a b']\nurl = 'x'", "contexts.a b is no name"),
        ("[contexts.prod]\nurl = 1", "contexts.prod.url must be a text"),
        ("[contexts.prod]\ntoken = 't'", "contexts.prod.url is missing"),
        ("[contexts.prod]\nurl = 'x'\npassword = 'y'", "contexts.prod.password is no setting"),
        ("current = 'prod'\n[contexts.prod]\nurl = 'ftp://x'", "context prod: 'ftp://x' is no URL"),
        ("current = 'prod'\n[contexts.prod]\nurl = 'http://h'\ntoken_file = '/nope'", "/nope cannot be read"),
        ("current = 'nope'\n", "there is no context 'nope' (current in"),
        ("\xff" * (1 << 20), "it is no file of contexts"),
    ],
)  # fmt: skip
async def test_a_broken_file_is_told_with_the_place(
    text: str, said: str, offline: Command, tmp_path: Path
) -> None:
    written(tmp_path, text)

    result = await offline("job", "list")

    assert result.code in (2, 3)
    assert said in result.err
    assert "Traceback" not in result.err


async def test_a_broken_file_stops_no_command_that_needs_none_of_it(
    cronclave: Command, tmp_path: Path
) -> None:
    written(tmp_path, "broken")

    assert (await cronclave("job", "list")).code == 0


async def test_a_file_with_tokens_that_others_may_read_is_refused(offline: Command, tmp_path: Path) -> None:
    written(tmp_path, f"current = 'p'\n[contexts.p]\nurl = '{NOWHERE}'\ntoken = 't'\n", mode=0o640)

    refused = await offline("job", "list")
    file_of(tmp_path).chmod(0o600)

    assert (refused.code, "mode 0640" in refused.err, "chmod 600" in refused.err) == (2, True, True)
    assert (await offline("job", "list")).code == 6

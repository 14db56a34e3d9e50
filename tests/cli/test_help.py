"""Every command explains itself."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from cli.lazy import Group, LazyGroup
from cli.main import cronclave
from cli.reference import every_command

WORDS = [path[1:] for path, _, _ in every_command()]
LAZY = [
    (path, name, found.help, command.get_command(context, name))
    for path, command, context in every_command()
    if isinstance(command, LazyGroup)
    for name, found in command.lazy.items()
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_help_has_a_purpose_and_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cronclave, [*words, "--help"])

    assert result.exit_code == 0
    assert re.search(r"^ *Examples?:.*cronclave", result.output, re.MULTILINE | re.DOTALL)
    purpose = result.output.split("\n\n")[1].strip()
    assert purpose.endswith((".", ".\n", "."))
    assert "Options:" not in purpose


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    command = next(c for path, c, _ in every_command() if path[1:] == words)

    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{words}: {parameter.opts}"


@pytest.mark.parametrize("option", ["--url", "-n"])
def test_an_option_of_commands_that_stands_before_them_is_told_its_place(option: str) -> None:
    result = CliRunner().invoke(cronclave, [option, "x", "job", "list"])

    assert result.exit_code == 2
    assert f"{option} stands after the command" in result.output


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["jobb"], "job"), (["run", "get", "7"], "show"), (["run", "wiat", "7"], "wait"),
        (["job", "rm", "a"], "delete"), (["job", "xyzzy"], None),
    ],
)  # fmt: skip
def test_a_word_that_is_no_command_is_answered_with_the_one_that_is_meant(
    words: list[str], meant: str | None
) -> None:
    result = CliRunner().invoke(cronclave, words)

    assert result.exit_code == 2
    assert "No such command" in result.output
    assert (f"Did you mean {meant!r}?" in result.output) == (meant is not None)


def test_every_group_answers_so() -> None:
    for path, command, _ in every_command():
        assert isinstance(command, Group) == hasattr(command, "commands"), path


@pytest.mark.parametrize(
    ("words", "meant"), [(["agent", "list"], "cronclave agents"), (["node", "status"], "cronclave cluster")]
)
def test_a_program_that_is_asked_for_something_names_the_command_for_it(words: list[str], meant: str) -> None:
    result = CliRunner().invoke(cronclave, words)
    assert result.exit_code == 2
    assert f"takes no {words[1]!r}" in result.output
    assert meant in result.output

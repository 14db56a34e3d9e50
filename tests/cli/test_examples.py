"""Every example that help shows is a command that is taken: it is parsed to its end, and not run."""

from __future__ import annotations

import contextlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.examples import examples
from cli.main import cronclave
from cli.reference import every_command

COMMANDS = {" ".join(path): command for path, command, _ in every_command()}
#: What examples name as being there already, and which click looks for.
FILES = (
    "ca.pem", "token", "node.toml", "agent.toml", "prod/node-1/tls/node.pem", "nightly-report.yaml",
    "cronclave.db", "monday.db", "dated.db", "b1.db", "before.db", "holidays-99.1-py3-none-any.whl",
)


def shown(command: click.Command) -> list[str]:
    """The examples of its help, line by line."""
    text = command.epilog or ""
    if "Examples:\n" in text:
        return [line.partition("  # ")[0].strip() for line in text.split("Examples:\n")[1].splitlines()]
    return [text.removeprefix("Example: ")]


def parts(line: str) -> Iterator[list[str]]:
    """Each command of a line of shell, without where its input comes from and its output goes."""
    for text in re.split(r" && | \| |, then in another terminal: ", line):
        words = shlex.split(re.sub(r"^(?:[A-Z_]+=\S+ )+", "", text))
        yield list(itertools.takewhile(lambda word: word not in (">", "<"), words))


def parsed(words: list[str]) -> click.Command:
    """The command that these words call. Raises click.UsageError."""
    context = cronclave.make_context("cronclave", words[1:])
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context.command


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_command_that_is_taken(name: str, there: Path) -> None:
    called = []
    for line in shown(COMMANDS[name]):
        own = [words for words in parts(line.replace("/etc/cronclave/", "")) if words[0] == "cronclave"]
        assert own, f"{line}: it calls no command of ours"
        for words in own:
            try:
                called.append(parsed(words))
            except click.exceptions.Exit:
                called.append(COMMANDS[name])  # --help
    if not isinstance(COMMANDS[name], click.Group):
        assert COMMANDS[name] in called, "none of its examples calls it"


def test_a_wrong_example_is_seen(there: Path) -> None:
    for wrong in ("cronclave job run greet --parm a=b", "cronclave jobb list", "cronclave run show x"):
        with pytest.raises(click.UsageError):
            parsed(shlex.split(wrong))


def test_several_examples_stand_below_each_other() -> None:
    assert examples("cronclave a") == "Example: cronclave a"
    assert examples("cronclave a  # one", "cronclave longer", "x  # two").splitlines()[2:] == [
        "  cronclave a       # one", "  cronclave longer", "  x                 # two",
    ]  # fmt: skip


PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = [PROJECT / "README.md", *sorted(DOCS.rglob("*.md"))]
SHOWN = {"guides", "examples", "coming-from"}
GUIDES = [page for page in PAGES if page.parent == PROJECT or SHOWN & {*page.parts}]
LINE = re.compile(r"^ {4}(?:\$ )?((?:.* \| )?cronclave [\w-]+ .*)$", re.MULTILINE)
INLINE = re.compile(r"`(cronclave [a-z-]+[^`…:|\\\[]*)`")
NONE_SUCH = re.compile("No such (command|option)")


def test_what_pages_say_in_passing_is_a_command_with_its_options(there: Path) -> None:
    """Its arguments may have the names of what stands there."""
    wrong, looked = [], 0
    for page in PAGES:
        for line in INLINE.findall(page.read_text()):
            looked += 1
            try:
                parsed(shlex.split(line.replace(" RUN", " 42")))
            except click.exceptions.Exit:
                pass
            except click.UsageError as error:
                if NONE_SUCH.search(error.format_message()):
                    wrong.append(f"{page.relative_to(DOCS.parent)}: {line}")
    assert looked > 100
    assert wrong == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_what_the_guides_say_is_taken_too(page: Path, there: Path) -> None:
    for line in LINE.findall(re.sub(r"\\\n *", "", page.read_text())):
        command = re.sub(r" +#.*| …$|[\[\]]|/etc/cronclave/", "", line).replace(" RUN", " 42")
        for words in parts(command):
            if words[0] == "cronclave":
                with contextlib.suppress(click.exceptions.Exit):
                    parsed(words)

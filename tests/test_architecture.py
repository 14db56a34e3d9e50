"""The shape of the code: what import-linter cannot say.

The table of who may import whom is in pyproject.toml.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from hypothesis import HealthCheck, settings

from scheduler.model import triggers
from scheduler.model.work import KINDS
from tests.parsed import nodes

pytestmark = pytest.mark.house

PROJECT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
PACKAGES = [
    p
    for p in SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    if (PROJECT / p / "__init__.py").exists()
]
#: The client is a distribution of its own, with the same rules.
CLIENT = "client/src/cronclave"
LINES_MAX = 500
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "stuff"}

#: An edge library and the only places that may import it. A folder ends with a slash.
OWNERS = {
    "pysyncobj": ("cluster/library.py",),
    "croniter": ("scheduler/ticks/month_days.py",),
    "sqlite3": ("scheduler/store/connection.py", "bench/machine.py"),
    "pydantic": ("scheduler/model/", "api/schemas/", "api/schemas.py"),
    "cryptography": ("cluster/", "agent/key.py", "api/agents/hello.py", "node/vault.py"),
    "websockets": ("agent/connection.py",),
    "aiosmtplib": ("outside/mail.py",),
    "obstore": ("agent/looking.py", "node/effects/sources/store.py"),
    "asyncssh": ("agent/ssh/session.py",),
    "httpx2": ("agent/", "api/log_source.py", "node/effects/webhook.py", "bench/", "chaos/"),
    "toxiproxy": ("chaos/nemesis/toxi.py",),
    "requests": ("chaos/nemesis/toxi.py",),
    "cronsim": ("chaos/",),
    "h11": ("client/src/cronclave/conversation.py",),
    "pytest": ("chaos/pytest_plugin.py",),
    "fastapi": ("api/",),
    "starlette": ("api/",),
    "anyio": ("api/threads.py",),
    "uvicorn": ("api/", "node/front.py"),
    "uvloop": ("node/front.py",),
    "prometheus_client": ("api/metrics.py",),
    "click": ("cli/",),
    "rich": ("cli/output.py", "cli/top/"),
    "tomli_w": ("cli/dev/layout.py", "chaos/programs.py"),
    "holidays": ("scheduler/model/public_holidays.py",),
    "dateutil": ("scheduler/model/recurrence.py",),
    "tzlocal": ("cli/imports.py", "scheduler/ticks/zones.py"),
    "ruamel": ("scheduler/model/written.py", "client/src/cronclave/jobs/convert.py"),
    "yaml": ("scheduler/model/documents.py",),
    "msgspec": (
        "scheduler/words/", "scheduler/shapes.py", "scheduler/model/compiled.py",
        "scheduler/model/outputs.py", "api/threads.py",
    ),
    "msgpack": ("scheduler/", "cluster/", "agent/", "node/bridge.py"),
}

#: Who renames what is not a file that it writes whole, and why `durable.files.replace_file` is not for it.
RENAMES = {
    "durable/files.py": "the one way",
    "node/state.py": "a copy of gigabytes that came over the network, hashed and synced on its way",
    "node/restore.py": "databases and folders, synced by their own rules",
    "node/damage.py": "a folder put aside",
    "node/simulation/state.py": "the simulation's disk",
    "agent/history.py": "a log is rotated",
    "agent/watching/moving.py": "a file of a user is moved",
    "cluster/incoming.py": "a note that may be lost: it only spares sending bytes again",
    "cli/init.py": "a folder that is filled beside",
    "cli/backup.py": "a download of gigabytes, written as it comes",
    "cli/dev/layout.py": "a log is rotated",
    "chaos/nemesis/toxi_server.py": "a program that Go built",
    "chaos/nemesis/shim.py": "a library that the compiler built",
}

#: Ways to learn the time or draw lots that no import shows.
HIDDEN_CLOCKS = re.compile(r"\b(?:datetime\.now|datetime\.utcnow|datetime\.today|date\.today|os\.urandom)\b")


MOCKS = re.compile(
    r"^\s*(?:from|import) +(?:\w+, *)*(?:mock|pytest_mock|unittest\.mock)\b"
    r"|^\s*from unittest import .*\bmock\b",
    re.MULTILINE,
)


def sources(folder: str = "") -> Iterator[Path]:
    for package in [folder] if folder else [*PACKAGES, CLIENT]:
        yield from sorted((PROJECT / package).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Top-level names that a file imports, wherever in it. Read once for all tests."""
    found: set[str] = set()
    for statement in nodes(path):
        if isinstance(statement, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            found.add(statement.module.partition(".")[0])
    return frozenset(found)


def test_every_folder_of_code_is_packaged_linted_and_typed() -> None:
    folders = {p.parent.name for p in PROJECT.glob("*/__init__.py")} - {"tests"}

    assert folders == set(PACKAGES)
    assert folders <= set(SETTINGS["tool"]["mypy"]["packages"])
    assert folders <= set(SETTINGS["tool"]["importlinter"]["root_packages"])


@pytest.mark.parametrize("library", OWNERS)
def test_an_edge_library_has_one_owner_per_folder(library: str) -> None:
    users = [place(path) for path in sources() if library in imported(path)]

    strangers = [user for user in users if not any(_owns(owner, user) for owner in OWNERS[library])]

    assert not strangers, f"{library} belongs to {', '.join(OWNERS[library])}"


def _owns(owner: str, user: str) -> bool:
    return user.startswith(owner) if owner.endswith("/") else user == owner


def test_every_dependency_has_an_owner() -> None:
    known = {*OWNERS, "tzdata", *sys.stdlib_module_names, *PACKAGES, Path(CLIENT).name}

    for path in sources():
        assert imported(path) <= known, f"{place(path)}: a library without an owner"


def test_files_are_replaced_in_one_way() -> None:
    renaming = re.compile(r"\bos\.(?:replace|rename)\(|\.rename\((?!ctx\.)")
    found = {place(path) for path in sources() if renaming.search(path.read_text())}

    assert found == set(RENAMES), "write it with durable.files.replace_file, or say here why not"


#: A stage and its actors know each other.
MEET = {"cluster.simulation", "node.simulation"}


def test_no_two_files_import_each_other_whatever_the_way_round() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    assert graph.find_modules_directly_imported_by("cli.options")
    within = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    order = TopologicalSorter({
        name: {other for other in others if not {name.rpartition(".")[0], other.rpartition(".")[0]} <= MEET}
        for name, others in within.items()
    })  # fmt: skip
    order.prepare()  # raises CycleError with the files of a circle


def test_every_run_is_made_in_one_place() -> None:
    """So none is made without a cause (`machine.steps.firing`)."""
    inserting = re.compile(r"\bruns?(?:_rows)?\.insert\(|INTO runs\b|\bkept\.insert\(TABLE, run\)")
    found = {place(path) for path in sources("scheduler") if inserting.search(path.read_text())}

    assert found == {"scheduler/store/tables/runs.py", "scheduler/machine/steps/firing.py"}


def test_no_hidden_clock_in_the_scheduler() -> None:
    guilty = [place(path) for path in sources("scheduler") if HIDDEN_CLOCKS.search(path.read_text())]

    assert not guilty


@pytest.mark.parametrize("path", list(sources()), ids=place)
def test_a_file_is_one_concept_of_readable_size(path: Path) -> None:
    text = path.read_text()

    assert text.count("\n") <= LINES_MAX, "split it by noun"
    assert path.stem not in VAGUE, "say what it is"
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "it opens with what it is for"


@pytest.mark.parametrize("package", [*PACKAGES, CLIENT])
def test_a_folder_states_its_promise_and_a_reading_order(package: str) -> None:
    docstring = ast.get_docstring(ast.parse((PROJECT / package / "__init__.py").read_text())) or ""

    assert "promise" in docstring.lower()
    assert "reading order" in docstring.lower()


def test_ignored_warnings_have_a_reason() -> None:
    bare = re.compile(r"#\s*(?:type:\s*ignore\[[^\]]*\]|noqa(?::\s*[A-Z0-9, ]+)?)\s*$", re.MULTILINE)
    guilty = [
        f"{place(path)}:{text.count(chr(10), 0, match.start()) + 1}"
        for path in sources()
        for text in [path.read_text()]
        for match in bare.finditer(text)
    ]

    assert not guilty


def test_digits_are_those_that_int_reads() -> None:
    """"²".isdigit() is true, and int("²") an error: text from outside is asked whether it is ASCII first."""
    guilty = [
        f"{place(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for asked in re.findall(r"([\w.]+)\.(?:isdigit|isnumeric)\(\)", line)
        if f"{asked}.isascii() and " not in line
    ]

    assert not guilty


def test_a_cancellation_is_never_lost_beside_a_limit_of_time() -> None:
    """`wait_for` of Python 3.11 swallows one that comes together with the result."""
    assert not [place(path) for path in sources() if "asyncio.wait_for(" in path.read_text()]


def test_tests_do_not_mock() -> None:
    guilty = [
        place(path) for path in sorted((PROJECT / "tests").rglob("*.py")) if MOCKS.search(path.read_text())
    ]

    assert not guilty


#: They ask for words of other systems, and for what of ours those can say.
ELSEWHERE = ("cli/importing/formats/", "cli/exports/")


def test_no_kind_of_work_is_decided_elsewhere() -> None:
    """What differs between kinds stands in the kind's file (scheduler/model/work). `job` alone tells nothing:
    it is a word for much; `http` is the scheme of addresses too."""
    names = {word for kind in KINDS for word in (kind.name, kind.executor) if word} - {"job", "http"}

    guilty = [
        f"{place(path)}:{line}"
        for folder in ("scheduler", "api", "cli")
        for path in sources(folder)
        if not place(path).startswith(("scheduler/model/work/", *ELSEWHERE))
        for line in decisions_by(names, nodes(path))
    ]

    assert not guilty, "ask the kind, or give it a field that says so"


def test_no_kind_of_trigger_is_decided_elsewhere() -> None:
    """As above (scheduler/model/triggers). `cron` is also a rule for DST, `at` a column, and `after` what
    stood there behind a change: alone they tell nothing. `notice` is a command too."""
    names = {kind.name for kind in triggers.KINDS}

    guilty = [
        f"{place(path)}:{line}"
        for folder in ("scheduler", "api", "cli")
        for path in sources(folder)
        if not place(path).startswith(("scheduler/model/triggers/", "scheduler/ticks/", *ELSEWHERE))
        for line in (
            *decisions_by(names - {"cron", "at", "after", "notice"}, nodes(path)),
            *decisions_by(names - {"after", "notice"}, nodes(path), alone=False),
        )
    ]

    assert not guilty, "ask the kind, or give it a field that says so"


@pytest.mark.parametrize(
    "source",
    [
        'if kind == "exec": pass',
        'if "noop" in task: pass',
        'if kind in ("http", "exec"): pass',
        'match kind:\n    case "shell": pass',
        'match task:\n    case {"noop": True}: pass',
        'WORK = ["run", "exec"]',
        'FORMS = {"shell": 1, "exec": 2}',
        "if task.noop: pass",
    ],
)
def test_a_decision_by_kind_is_seen(source: str) -> None:
    def decided(text: str) -> list[int]:
        return list(decisions_by({"run", "exec", "noop", "shell"}, ast.walk(ast.parse(text))))

    assert decided(source)
    assert not decided('body["run"] = {"run": reply["run"]}')


def decisions_by(
    names: Collection[object], among: Iterable[ast.AST], *, alone: bool = True
) -> Iterator[int]:
    """Lines that compare with one of these names (`alone`), list several, or ask an object for what none else
    has."""
    for node in among:
        found: list[ast.AST | None] = []
        if isinstance(node, ast.Compare) and alone:
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.match_case) and alone:
            found = [part for part in ast.walk(node.pattern) if isinstance(part, ast.expr)]
        elif isinstance(node, ast.Dict | ast.Tuple | ast.List | ast.Set):
            found = [*(node.keys if isinstance(node, ast.Dict) else node.elts)]
            if sum(isinstance(part, ast.Constant) and part.value in names for part in found) < 2:
                continue
        elif isinstance(node, ast.Attribute) and node.attr == "noop":
            yield node.lineno
        listed = [
            item for part in found
            for item in (part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part])
        ]  # fmt: skip
        if any(isinstance(part, ast.Constant) and part.value in names for part in listed):
            yield int(vars(node.pattern if isinstance(node, ast.match_case) else node)["lineno"])


@pytest.mark.parametrize("module", ["scheduler.machine.entry", "scheduler.plan.planner"])
def test_the_core_compiles_jobs_without_pydantic(module: str) -> None:
    listing = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, cwd=PROJECT, check=True, timeout=60
    ).stdout.split()

    assert "scheduler.model.work" in loaded
    assert not {"pydantic", "pydantic_core"} & set(loaded)


def test_the_server_is_not_loaded_by_the_model() -> None:
    """The agent and the CLI live beside the model: what they load must stay small."""
    listing = "import sys, scheduler.protocol; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, cwd=PROJECT, check=True, timeout=60
    ).stdout.split()

    assert not {"pydantic", "fastapi", "sqlite3", "croniter", "pysyncobj"} & set(loaded)


def test_no_property_is_judged_by_the_clock() -> None:
    """Hypothesis does by default: on a shared machine that says nothing of what is tested."""
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check

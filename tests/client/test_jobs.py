"""Jobs in Python are those of YAML: equal canonical texts, for every example of the documentation."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import json
import re
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest

from cronclave import DefinitionError
from cronclave.jobs import (
    Async,
    Board,
    Call,
    Catchup,
    Expression,
    Group,
    Job,
    Policies,
    Retry,
    Task,
    Vars,
    after,
    at,
    cron,
    delay,
    every,
    job,
    notice,
    param,
    plan_date,
    var,
    webhook,
)
from cronclave.jobs.convert import KINDS, read, source_of
from cronclave.jobs.evaluate import documents
from scheduler.model.documents import load_yaml
from scheduler.model.expressions import syntax
from scheduler.model.job import Job as Parsed
from scheduler.model.job import canonical
from scheduler.model.objects.parsing import parse_document
from scheduler.model.problems import JobError
from scheduler.model.published import schema_of
from scheduler.words.json_text import json_text

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
INDENTED = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)
FENCED = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def canonical_text(document: dict[str, Any]) -> bytes:
    found = parse_document(document)
    return canonical(found) if isinstance(found, Parsed) else json_text(found.public())


def texts() -> Iterator[tuple[str, str]]:
    """Each file of YAML, and what pages show as such."""
    for path in sorted(DOCS.rglob("*.yaml")):
        yield path.relative_to(DOCS).as_posix(), path.read_text()
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text()
        shown = [*FENCED.findall(text), *map(textwrap.dedent, INDENTED.findall(text))]
        name = path.relative_to(DOCS).as_posix()
        yield from ((f"{name}-{number}", each) for number, each in enumerate(shown))


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of these the documents that a node takes."""
    for name, text in texts():
        try:
            found = load_yaml(text, name)
        except JobError:
            continue  # it is something else, or shows a part of one
        for document in found:
            kind = isinstance(document.data, dict) and next((k for k in KINDS if k in document.data), None)
            if not kind or (kind == "job" and "template" in document.data):
                continue
            try:
                parse_document(document.data)
            except JobError:
                continue
            yield f"{name}-{document.data[kind]}", document.data


@functools.cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema_of(kind))


EXAMPLES = dict(examples())


def made(source: str) -> list[Any]:
    module = types.ModuleType("example")
    exec(compile(source, "example.py", "exec"), vars(module))
    return documents(module)


def test_there_are_examples_of_every_kind() -> None:
    assert len(EXAMPLES) > 60
    seen = {next(kind for kind in KINDS if kind in each) for each in EXAMPLES.values()}
    assert seen >= {"job", "calendar", "vars", "resource", "board", "hook", "template"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_the_same_in_python(name: str) -> None:
    document = EXAMPLES[name]
    (found,) = made(source_of([document]))

    assert canonical_text(found.to_dict()) == canonical_text(document)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_one_to_its_schema_too(name: str) -> None:
    """Editors underline what it refuses."""
    document = EXAMPLES[name]
    validator(next(kind for kind in KINDS if kind in document)).validate(document)


@pytest.mark.house
def test_the_words_are_those_of_the_schemas() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import json, words; print(json.dumps(words.written()))"],
        cwd=PROJECT / "client", capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder = PROJECT / "client" / "src" / "cronclave" / "jobs" / "words"
    written = {path.name: path.read_text() for path in folder.glob("*.py")}
    assert json.loads(told.stdout) == written, "run: make docs"


def tell_all() -> None:
    """What an agent calls."""


class Region(enum.Enum):
    EU = "eu"
    US = "us"


def test_a_job_is_a_function_and_its_parameters_are_the_job_s() -> None:
    hour = Policies(timeout=dt.timedelta(hours=1))

    @job(triggers=[cron("0 2 * * 1-5", tz="Europe/Berlin", params={"number": 3})], policies=hour)
    def nightly_report(
        job: Job,
        number: int,
        region: Region = Region.EU,
        mode: Literal["full", "part"] = "part",
        day: Annotated[dt.date | str, "which day"] = "plan_date - 1 day",
        hosts: list[str] = ["a", "b"],  # noqa: B006  # it is written down, and changed by nobody
        share: float = 0.5,
        dry: bool = False,
    ) -> None:
        """What was yesterday."""
        extract = job.task("extract", run="./extract.sh", retry=Retry(max=3), outputs=["rows"])
        load = job.task("load", run="./load.sh", when=extract.succeeded & (mode == "full"), needs=[extract])
        job.group("all", tasks=[extract, load], retry=Retry(max=1))
        job.finally_ = [job.task("close", run="./close.sh")]

    called = nightly_report.function(needs=["all"], interpreter="/srv/venv/bin/python")(tell_all)
    assert called is tell_all
    nightly_report.task("behind", needs=[tell_all], noop=True)

    told = nightly_report.to_dict()
    assert told["params"] == {
        "number": {"type": "integer", "required": True},
        "region": {"type": "enum", "enum": ["eu", "us"], "default": "eu"},
        "mode": {"type": "enum", "enum": ["full", "part"], "default": "part"},
        "day": {"type": "date", "default": "plan_date - 1 day", "description": "which day"},
        "hosts": {"type": "list", "default": ["a", "b"]},
        "share": {"type": "number", "default": 0.5},
        "dry": {"type": "boolean", "default": False},
    }
    assert (told["job"], told["description"]) == ("nightly-report", "What was yesterday.")
    assert told["policies"] == {"timeout": "1h"}
    assert told["tasks"]["load"]["when"] == "extract.succeeded and params.mode == 'full'"
    assert told["tasks"]["tell-all"]["python"] == {
        "call": f"{__name__}:tell_all", "interpreter": "/srv/venv/bin/python",
    }  # fmt: skip
    assert told["finally"] == ["close"]
    assert told["groups"]["all"]["tasks"] == ["extract", "load"]
    canonical_text(told)


def test_triggers_and_objects() -> None:
    first = Job("first", run="true")
    second = Job("second", namespace="finance", tasks={"a": Task(exec=["true"], async_=Async(timeout="1h"))})
    second.triggers = [
        every(dt.timedelta(minutes=15), id="often"),
        delay("10m", id="pause"),
        at(dt.datetime(2036, 1, 31, 12, tzinfo=dt.timezone(dt.timedelta(hours=1))), id="once"),
        after(first.succeeded | first.exit_code.is_in([4, 5]), id="behind"),
        notice("stock", "plan_date", id="stock"),
        webhook("deploys", id="deploys"),
    ]
    told = second.to_dict()
    assert [{k: v for k, v in each.items() if k != "id"} for each in told["triggers"]] == [
        {"every": "15m"}, {"every": {"delay": "10m"}}, {"at": "2036-01-31T11:00:00Z"},
        {"after": "first.succeeded or first.exit_code in [4, 5]"},
        {"notice": {"board": "stock", "key": "plan_date"}}, {"webhook": "deploys"},
    ]  # fmt: skip
    assert told["tasks"] == {"a": {"exec": ["true"], "async": {"timeout": "1h"}}}
    assert str(second.succeeded) == "finance/second.succeeded"
    canonical_text(told)
    assert Vars("dsn", values={"host": "db"}).to_dict() == {"vars": "dsn", "values": {"host": "db"}}
    assert Board("stock", expires=dt.timedelta(days=2, milliseconds=5)).to_dict()["expires"] == "2d5ms"
    catchup = Policies(catchup=Catchup(mode="all"), failures={2: "10s"})  # type: ignore[dict-item]  # as in YAML
    assert catchup.to_dict() == {"catchup": {"mode": "all"}, "failures": {"2": "10s"}}


a, b, c = (Job(name, noop=True) for name in "abc")


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (a.succeeded & b.failed | c.ended, "a.succeeded and b.failed or c.ended"),
        (a.succeeded & (b.failed | c.ended), "a.succeeded and (b.failed or c.ended)"),
        (~(a.succeeded & b.failed), "not (a.succeeded and b.failed)"),
        (~a.succeeded & ~~b.failed, "not a.succeeded and not not b.failed"),
        (~(a.exit_code == 3), "not a.exit_code == 3"),
        (~(a.succeeded | b.failed) & (a.exit_code > 1), "not (a.succeeded or b.failed) and a.exit_code > 1"),
        (a.succeeded & "b.failed or c.ended", "a.succeeded and (b.failed or c.ended)"),
        ("b.failed or c.ended" & a.succeeded, "(b.failed or c.ended) and a.succeeded"),
        (param("n") <= 2.5, "params.n <= 2.5"),
        (param("on") == True, "params.on == true"),  # noqa: E712  # it is a part of a condition
        (var("who") == "it's", "vars.who == \"it's\""),
        (plan_date.is_in([dt.date(2027, 3, 31)]), "plan_date in ['2027-03-31']"),
        (a.exit_code.not_in([0, 4]), "a.exit_code not in [0, 4]"),
        (param("a") > param("b"), "params.a > params.b"),
    ],
)
def test_conditions_hold_together_as_they_were_built(built: Expression, text: str) -> None:
    assert str(built) == text
    syntax.parse(text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Job("a", rn="true"), "no field 'rn'.*run"),
        (lambda: Job("a").task("t", runn="x"), "no field 'runn'.*run"),
        (lambda: Job("a", tasks={"t": Task(noop=True)}).task("t", noop=True), "there is a task t already"),
        (lambda: [Job("a").group("g", Group(tasks=[])).name, (x := Job("b")).group("g", tasks=[]),
                  x.task("g", noop=True)], "there is a group g already"),
        (lambda: Job("a").task("t", Task(noop=True), needs=["b"]), "it is a Task already"),
        (lambda: bool(a.succeeded & b.failed), "Join conditions with &"),
        (lambda: a.succeeded and b.failed, "Join conditions with &"),
        (lambda: 1 < param("n") < 3, "Join conditions with &"),
        (lambda: a.succeeded & (1 == 1), "whatever the run is"),
        (lambda: str(param("s") == "it's \"so\""), "both kinds of quotes"),
        (lambda: Job("a", triggers=[at(dt.datetime(2036, 1, 1))]).to_dict(), "no time zone"),
        (lambda: Job("a", env={"A": object()}).to_dict(), "cannot stand in a definition"),
        (lambda: Job("a", policies=Policies(timeout=dt.timedelta(seconds=-1))).to_dict(), "below zero"),
        (lambda: job()(lambda: None), "has to take the job"),
        (lambda: Job("a", labels=_endless()).to_dict(), "nested deeper"),
        (lambda: source_of([{"jb": "a"}]), "of no kind"),
        (lambda: source_of([{"job": "a", "rn": "true"}]), "no field 'rn'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(wrong: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        wrong()


def _endless() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["a"] = found
    return found


def test_a_parameter_of_no_type_that_jobs_have_is_told() -> None:
    with pytest.raises(DefinitionError, match="which no parameter of a job has"):

        @job()
        def wrong(job: Job, what: complex) -> None: ...


def test_a_file_is_converted(tmp_path: Path) -> None:
    """As `job get -o json` prints it, or as YAML."""
    example = EXAMPLES["examples/locks/warehouse.yaml-nightly-load"]
    got = {**example, "revision": 3, "state": "active", "name": "nightly-load"}
    (tmp_path / "got.json").write_text(json.dumps(got))
    (found,) = made(source_of(read(str(tmp_path / "got.json"))))
    assert canonical_text(found.to_dict()) == canonical_text(example)
    path = DOCS / "examples" / "js7" / "jobs.yaml"
    command = [sys.executable, "-m", "cronclave.jobs.convert", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [each.name for each in made(told.stdout)] == ["staging", "stock", "stock", "publish"]
    assert Call(call="a:b").to_dict() == {"call": "a:b"}
    for text, said in (("{", "neither JSON nor YAML"), ("[1]", "a document is an object")):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(DefinitionError, match=said):
            read(str(tmp_path / "bad"))

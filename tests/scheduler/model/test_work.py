"""Kinds of work: each is judged, published, compiled and documented from its one file."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from agent.executors import executors
from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.model.parse import PLANNED, TASK_FIELDS
from scheduler.model.published import json_schema
from scheduler.model.task import Task
from scheduler.model.translating import field_names
from scheduler.model.work import KINDS, NAMES, ONE_OF, ONE_OF_SHORT, Kind, offered
from scheduler.model.work import PLANNED as PLANNED_WORK
from scheduler.model.work.process import FEATURES
from tests.scheduler.model.grown import told

PROJECT = Path(__file__).parents[3]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def said(data: object) -> dict[str, str]:
    with pytest.raises(JobError) as caught:
        parse_job(data)
    return {p.pointer: f"{p.detail} | {p.hint}" for p in caught.value.problems}


def of(kind: Kind, **fields: Any) -> dict[str, Any]:
    """A job of it, as short as can be."""
    task = {kind.name: kind.example, **fields}
    return {"job": "a", "tasks": {"main": task}} if kind.in_tasks_only else {"job": "a", **task}


@each_kind
def test_its_example_is_a_job_that_compiles(kind: Kind) -> None:
    text = canonical(parse_job(of(kind)))

    assert json.loads(text)["tasks"]["main"][kind.name] == kind.example
    assert [name for name in NAMES if name in json.loads(text)["tasks"]["main"]] == [kind.name]
    compiled = compile_job(text).tasks[0]
    named = kind.example["kind"] if kind.names_executor else kind.executor
    assert (compiled.work.get("kind"), compiled.happens) == (named, kind.happens)


def test_what_an_executor_gets() -> None:
    around: dict[str, Any] = {"cwd": "/srv", "env": {"A": "1"}}
    tasks = {
        "a": {"run": "x", **around, "stdin": ""},
        "b": {"exec": ["x", ""], **around, "stdin": "y"},
        "c": {"noop": True, **around},
    }
    compiled = compile_job(canonical(parse_job({"job": "j", "tasks": tasks})))

    assert [task.work for task in compiled.tasks] == [
        {"kind": "shell", "run": "x", "cwd": "/srv", "stdin": "", "env": {"A": "1"}},
        {"kind": "exec", "argv": ["x", ""], "cwd": "/srv", "stdin": "y", "env": {"A": "1"}},
        {"kind": "noop"},
    ]


def test_what_an_executor_may_not_know_is_asked_of_its_agent() -> None:
    for fields in (
        {"run": "x", "umask": "027", "nice": 0, "cwd": "/srv", "stdin": "", "env": {"A": "1"}},
        {"exec": ["x"], "outputs": ["rows"], "stderr": "warn", "run_as": "batch", "skip_if_exists": "/done"},
        {"run": "x", "secrets": ["KEY"]},
        {"run": "x", "timeout": "1m"},
        {"noop": True, "cwd": "/srv"},
        {"sleep": "1m"},
    ):
        job = parse_job({"job": "j", **fields})
        (task,) = compile_job(canonical(job)).tasks
        wanted = () if task.executor in ("noop", "") else FEATURES & fields.keys()
        assert task.features == job.tasks["main"].features == tuple(sorted(wanted))


def test_an_agent_knows_all_that_is_asked_of_its_executors() -> None:
    host: Any = None  # nothing is started
    found = executors(host)

    for kind in KINDS:
        if kind.executor:
            assert kind.features <= found[kind.executor].capabilities().features


def test_a_task_without_work_is_no_canonical_one() -> None:
    text = canonical(parse_job({"job": "a", "noop": True})).replace(b'"noop":true', b"")

    with pytest.raises(ValueError, match="no kind of work"):
        compile_job(text)


def test_an_agent_has_an_executor_for_each_that_happens_there() -> None:
    host: Any = None  # nothing is started

    assert {kind.executor for kind in KINDS if kind.executor} <= set(executors(host))
    assert all((kind.executor is None) == (kind.happens != "agent") for kind in KINDS)
    assert all((kind.lasts_ms is None) == (kind.happens != "state") for kind in KINDS)
    assert not [kind for kind in KINDS if kind.happens == "node"], "the machine has no way for those yet"


@pytest.mark.parametrize(("one", "other"), list(combinations(KINDS, 2)), ids=lambda kind: kind.name)
def test_a_task_has_one_kind(one: Kind, other: Kind) -> None:
    both = {one.name: one.example, other.name: other.example}

    if not other.in_tasks_only:
        assert f"{one.name} and {other.name} exclude each other" in said({"job": "a", **both})[""]
    assert "exclude each other" in said({"job": "a", "tasks": {"t": both}})["/tasks/t"]


def test_no_work_is_told_with_every_kind() -> None:
    kinds = f"give {ONE_OF}"
    assert said({"job": "a"})[""].endswith(f"give {ONE_OF_SHORT}, or tasks")
    assert "job" in NAMES
    assert ", job" not in ONE_OF_SHORT
    assert said({"job": "a", "tasks": {"t": {}}})["/tasks/t"].endswith(kinds)
    assert kinds.startswith("give one of run, exec, script, python, http, ssh, custom, noop: true, sleep, ")


GIVEN: dict[str, Any] = {
    "on": {"pool": "etl"}, "retry": {"max": 1}, "timeout": "1m", "env": {"A": "1"}, "grace": "1s",
    "output_limit": "1KiB", "secrets": ["A"], "exit": {"warn": [4]}, "stderr": "warn",
    "skip_if_exists": "/a", "umask": "027", "locks": ["a"],
    "nice": 1, "outputs": ["a"], "limits": {"memory": "1GiB"}, "fanout": {"n": 2}, "join": "any",
    "async": {"timeout": "1h"},
}  # fmt: skip


@each_kind
def test_what_it_does_not_read_is_refused(kind: Kind) -> None:
    for field in kind.unread:
        found = said(of(kind, **{field: GIVEN.get(field, "x")}))

        where = "/tasks/main" if kind.in_tasks_only else ""
        instead = kind.instead.get(field, f"remove {field}")
        assert found == {where: f"{kind.name} reads no {field} | {instead}"}


@each_kind
def test_what_it_does_not_read_may_stand_there_as_it_comes_back_from_a_get(kind: Kind) -> None:
    whole = json.loads(canonical(parse_job(of(kind))))

    assert canonical(parse_job(whole)) == canonical(parse_job(of(kind)))


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("-5m", "a duration must not be negative"),
        ("0s", "a duration must be longer than zero"),
        ("", '\'\' is no duration; write it like "90s", "15m", "1h30m" or "7d"'),
        ("soon", '\'soon\' is no duration; write it like "90s", "15m", "1h30m" or "7d"'),
        ("10", "a duration needs a unit, such as 10s or 10m"),
        ("1.5h", 'write whole numbers and the units d, h, m, s, ms without blanks, such as "1h30m"'),
        ("367d", "a sleep may be 366d at most"),
        ("99999d", "a duration may be a hundred years at most"),
        (10, "a duration is text with a unit, not a number"),
        (True, "a duration is text with a unit, not a boolean"),
        (["1m"], "a duration is text with a unit, not a list"),
    ],
)
def test_a_sleep_is_a_duration_of_a_year_at_most(value: object, detail: str) -> None:
    task: dict[str, Any] = {"sleep": value}
    assert said({"job": "a", **task})["/sleep"].startswith(f"{detail} |")
    assert said({"job": "a", "tasks": {"t": task}})["/tasks/t/sleep"].startswith(f"{detail} |")


@pytest.mark.parametrize(
    ("value", "said_of_it"),
    [
        ("success", "not 'success' | did you mean succeeded?"),
        ("cancelled", "not 'cancelled' | how the run ends"),
        (True, "not True | how the run ends"),
        ({}, "not {} | how the run ends"),
    ],
)
def test_a_run_finishes_well_or_ill(value: object, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"finish": value}}})
    assert found == {"/tasks/t/finish": f"finish must be succeeded or failed, {said_of_it}"}


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("stock", "", "post must be an object, not text |"),
        ({"board": "stock"}, "/key", "key is required"),
        ({"key": "a"}, "/board", "board is required"),
        ({"board": "a b", "key": "a"}, "/board", "a name must not contain ' '"),
        ({"board": "b", "key": ""}, "/key", "a key has 1 to 256 letters | such as orders, or plan_date"),
        ({"board": "b", "key": "k" * 257}, "/key", "a key has 1 to 256 letters"),
        ({"board": "b", "key": 3}, "/key", "key must be text, not a number"),
        ({"board": "b", "key": "k", "expires": "11y"}, "/expires", "'11y' is no duration"),
        ({"board": "b", "key": "k", "expires": "3654d"}, "/expires", "a notice may stay ten years at most"),
        ({"board": "b", "key": "k", "expire": "1d"}, "/expire", "unknown field 'expire' | did you mean"),
    ],
)
def test_a_notice_to_post_has_a_board_and_a_key(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"post": value}}})
    assert list(found) == [f"/tasks/t/post{pointer}"]
    assert found[f"/tasks/t/post{pointer}"].startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("reports.nightly", "/call", "'reports.nightly' names no function of a module | MODULE:FUNCTION"),
        ("a:b()", "/call", "'a:b()' names no function"),
        ({"call": "a:b", "interpreter": " "}, "/interpreter", ""),
        ({"call": "a:b", "interpreter": "x\0"}, "/interpreter", ""),
        ({"interpreter": "python3"}, "/call", ""),
        ({"call": "a:b", "args": []}, "/args", "unknown field 'args'"),
        (7, "", ""),
    ],
)
def test_what_python_is_refused(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"python": value}}})
    assert list(found) == [f"/tasks/t/python{pointer}"]
    assert found[f"/tasks/t/python{pointer}"].startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("ftp://x", "/http/url", "'ftp://x' is no address of http or https | https://"),
        ("https://a b", "/http/url", "an address has no blanks"),
        ("https://", "/http/url", "'https://' names no host, or no port | such as https://deploy"),
        ("http://[::1/x", "/http/url", "'http://[::1/x' names no host, or no port"),
        ("http://x:99999?a=${A}", "/http/url", "'http://x:99999?a=${A}' names no host, or no port"),
        ("https://u:p@x?a=b", "/http/url", "a user or password in an address is"),
        ("https://u:p@x/", "/http/url", "a user or password in an address is"),
        ("https://x/${A", "/http/url", "'${A' at character 11 names no variable | write ${NAME}"),
        ("https://x/${A-B}", "/http/url", "'${A-B}' at character 11 names no variable"),
        ("https://x/${TOKEN}", "", "an address is written into logs, and would hold TOKEN"),
        ("https://x/${CRONCLAVE_CALLBACK_TOKEN}", "", "an address is written into logs"),
        ({"method": "POST"}, "/http/url", "url is required"),
        ({"url": "https://x", "method": "get"}, "/http/method", "method must be one of GET, HEAD, POST"),
        ({"url": "https://x", "body": "x"}, "/http", "GET sends no body | add method: POST"),
        ({"url": "https://x", "method": "PUT", "body": "x", "json": 1}, "/http", "body and json exclude"),
        ({"url": "https://x", "method": "PUT", "body": "a ${"}, "/http/body", "'${' at character 3"),
        ({"url": "https://x", "method": "PUT", "json": {"a": ["${"]}}, "/http/json", "'${' at character 1"),
        ({"url": "https://x", "method": "PUT", "json": "x" * 65_536}, "/http/json", "it has 65538 bytes"),
        ({"url": "https://x", "headers": {"Host": "x"}}, "/http/headers", "the header Host is the "),
        ({"url": "https://x", "headers": {"a": "x", "A": "y"}}, "/http/headers", "the header A is there"),
        ({"url": "https://x", "headers": {"A": "x\r\nB: y"}}, "/http/headers", "the header A holds a"),
        ({"url": "https://x", "headers": {"A B": "x"}}, "/http/headers", "'A B' is no name"),
        ({"url": "https://x", "expect": "9xx"}, "/http/expect/0", "'9xx' is no status | write 2xx"),
        ({"url": "https://x", "expect": "300-200"}, "/http/expect/0", "'300-200' is no status"),
        ({"url": "https://x", "expect": []}, "/http/expect", "expect is empty"),
        ({"url": "https://x", "redirects": 99}, "/http/redirects", "redirects must be at most 10"),
        ({"url": "https://x", "silence": "0s"}, "/http/silence", ""),
        ({"url": "https://x", "verify": False}, "/http/verify", "unknown field 'verify'"),
    ],
)
def test_what_request_is_refused(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"http": value, "secrets": ["TOKEN"]}}})
    ((where, words),) = found.items()
    assert where == f"/tasks/t{pointer}"
    assert words.startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("db1", "/ssh", "ssh must be an object, not text"),
        ({"run": "x"}, "/ssh/host", "host is required"),
        ({"host": "h"}, "/ssh/run", "run is required"),
        ({"host": "u@h", "run": "x"}, "/ssh/host", "'u@h' names no host | its name or address alone"),
        ({"host": "-oProxy", "run": "x"}, "/ssh/host", "'-oProxy' names no host"),
        ({"host": "${A", "run": "x"}, "/ssh/host", "'${A' at character 1 names no variable"),
        ({"host": "h", "run": "x\r\n"}, "/ssh/run", "line 1 ends in a carriage return"),
        ({"host": "h", "run": "x", "user": "a b"}, "/ssh/user", "'a b' is no user"),
        ({"host": "h", "run": "x", "port": 0}, "/ssh/port", "port must be at least 1, not 0"),
        ({"host": "h", "run": "x", "shell": "bash"}, "/ssh/shell", "shell must be one of sh, powershell"),
        ({"host": "h", "run": "x", "key": "A"}, "", "key is A, which is no secret of the task | add secr"),
        ({"host": "h", "run": "x", "passphrase": "TOKEN"}, "/ssh", "passphrase is of a key, and there is"),
        ({"host": "h", "run": "x"}, "", "TOKEN would be a file on the agent's host"),
        ({"host": "h", "run": "x", "known_hosts": "h AA"}, "/ssh/known_hosts", "line 1 of known_hosts ho"),
        ({"host": "h", "run": "x", "verify": False}, "/ssh/verify", "unknown field 'verify'"),
    ],
)
def test_what_ssh_is_refused(value: object, pointer: str, said_of_it: str) -> None:
    secret = {"name": "TOKEN", "file": True}
    ((where, words),) = said({"job": "a", "tasks": {"t": {"ssh": value, "secrets": [secret]}}}).items()
    assert where == f"/tasks/t{pointer}"
    assert words.startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("child", "", "job must be an object, not text |"),
        ({}, "/name", "name is required"),
        ({"name": "a b"}, "/name", "a name must not contain ' '"),
        ({"name": "c", "wait": "no"}, "/wait", "wait must be true or false, not text"),
        ({"name": "c", "params": ["x"]}, "/params", "params must be an object, not a list"),
        ({"name": "c", "params": {"x": None}}, "/params/x", "must be text, a number or true or false, not"),
        ({"name": "c", "await": True}, "/await", "unknown field 'await' | did you mean wait?"),
    ],
)
def test_a_run_of_another_job_has_its_name(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"job": value}}})
    assert list(found) == [f"/tasks/t/job{pointer}"]
    assert found[f"/tasks/t/job{pointer}"].startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ({"kind": "Spark"}, "/kind", "'Spark' cannot be the name of an executor"),
        ({"kind": "a.b"}, "/kind", "'a.b' cannot be the name of an executor"),
        ({"kind": "shell"}, "", "shell is no executor that is installed by somebody | give run"),
        ({"with": {}}, "/kind", ""),
        ({"kind": "spark", "with": []}, "/with", ""),
        ({"kind": "spark", "with": {"a": "x" * 65_536}}, "/with", "it has 65545 bytes as JSON"),
        ({"kind": "spark", "with": {"a": float("nan")}}, "/with", "it holds what JSON cannot say"),
        ({"kind": "spark", "args": 1}, "/args", "unknown field 'args'"),
        ("spark", "", ""),
    ],
)
def test_what_custom_is_refused(value: object, pointer: str, said_of_it: str) -> None:
    ((where, said_here),) = said({"job": "a", "tasks": {"t": {"custom": value}}}).items()
    assert where == (f"/tasks/t/custom{pointer}" if "installed" not in said_here else "/tasks/t")
    assert said_here.startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ("", "/text", ""),
        ("a\r\nb", "/text", "line 1 ends in a carriage return"),
        ({"files": {}}, "/text", ""),
        ({"text": "x", "interpreter": []}, "/interpreter", ""),
        ({"text": "x", "interpreter": ""}, "/interpreter", ""),
        ({"text": "x", "files": {"a/b": ""}}, "/files/a~1b", "'a/b' cannot be the name of a file"),
        ({"text": "x", "files": {"script": ""}}, "/files/script", "'script' cannot be the name of a file"),
        ({"text": "x", "files": {"a": "\0"}}, "/files/a", ""),
        ({"text": "x", "files": {"a": "x" * (1 << 20)}}, "", "the script and its files have 1048577 bytes"),
        (7, "", ""),
    ],
)
def test_what_script_is_refused(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"script": value}}})
    assert list(found) == [f"/tasks/t/script{pointer}"]
    assert found[f"/tasks/t/script{pointer}"].startswith(said_of_it)


@pytest.mark.parametrize(
    ("value", "pointer", "said_of_it"),
    [
        ({"cpu": 2}, "/cpu", "cpu is not available in this version"),
        ({"cpu_time": "0s"}, "/cpu_time", ""),
        ({"cpu_time": "10ms"}, "/cpu_time", "cpu_time is limited to 1s at least"),
        ({"cpu_time": 5}, "/cpu_time", ""),
        ({"memory": "1KiB"}, "/memory", "memory is limited to 1MiB at least"),
        ({"memory": "much"}, "/memory", "'much' is no size"),
        ({"open_files": 1}, "/open_files", "open_files must be at least 16"),
        ({"open_files": "64"}, "/open_files", "open_files must be an integer, not text"),
        ({"files": 64}, "/files", "unknown field 'files' | did you mean open_files?"),
        ([], "", "limits must be an object"),
    ],
)
def test_what_limits_are_refused(value: object, pointer: str, said_of_it: str) -> None:
    found = said({"job": "a", "tasks": {"t": {"run": "x", "limits": value}}})
    assert list(found) == [f"/tasks/t/limits{pointer}"]
    assert found[f"/tasks/t/limits{pointer}"].startswith(said_of_it)


def test_no_limit_is_said_by_silence() -> None:
    silent = canonical(parse_job({"job": "a", "run": "x"}))
    for limits in ({}, {"memory": None}, None):
        assert canonical(parse_job({"job": "a", "run": "x", "limits": limits})) == silent


def test_limits_reach_the_agent_in_the_kernels_units() -> None:
    given = {"memory": "2GiB", "cpu_time": "1m500ms", "open_files": 64}
    (task,) = compile_job(canonical(parse_job({"job": "a", "run": "x", "limits": given}))).tasks
    assert task.work["limits"] == {"memory": 2 << 30, "cpu_time": 61, "open_files": 64}


def test_equal_scripts_and_calls_have_one_text() -> None:
    for kind, short, long in (
        ("script", "echo hello", {"text": "echo hello", "files": None}),
        ("python", "a.b:c", {"call": "a.b:c", "interpreter": "python3"}),
        ("ssh", {"host": "h", "run": "x"}, {"host": "h", "run": "x", "port": 22, "user": None}),
        ("http", "https://x/", {"url": "https://x/", "method": "GET", "expect": "2xx", "silence": "60s"}),
    ):
        one, other = ({"job": "a", kind: value} for value in (short, long))
        assert canonical(parse_job(one)) == canonical(parse_job(other))
    files = {"text": "#!/bin/sh", "interpreter": "python3", "files": {"a.sql": "COPY"}}
    (task,) = compile_job(canonical(parse_job({"job": "a", "script": files}))).tasks
    shipped = {"text": "#!/bin/sh", "interpreter": ["python3"], "files": {"a.sql": "COPY"}}
    assert task.work == {"kind": "script", **shipped}


def test_a_sleep_stands_beside_no_other_work() -> None:
    assert said({"job": "a", "sleep": "1m", "run": "x"})[""].startswith("run and sleep exclude each other")
    assert list(said({"job": "a", "tasks": {"t": {"sleep": None}}})) == ["/tasks/t"]


def test_what_helps_where_no_agent_has_its_executor_is_the_kinds_word() -> None:
    assert offered("ssh").startswith("an agent that offers it: pip install 'cronclave[ssh]'")
    assert {offered("shell"), offered("somebody-elses")} == {"an agent that offers it"}


@each_kind
def test_the_words_of_other_schedulers_lead_to_it(kind: Kind) -> None:
    assert kind.other_words
    for word in kind.other_words:
        assert word not in (*TASK_FIELDS, *PLANNED[Task])
        meant = f"unknown field '{word}' | did you mean {kind.name}?"
        assert said({"job": "a", "tasks": {"t": {word: "x"}}}) == {f"/tasks/t/{word}": meant}
        assert said({"job": "a", word: "x"})[f"/{word}"] == meant


@each_kind
def test_the_schema_and_the_reference_say_what_it_says(kind: Kind) -> None:
    schema = json_schema()
    reference = (PROJECT / "docs" / "reference" / "job.md").read_text(encoding="utf-8")

    assert schema["$defs"]["Task"]["properties"][kind.name]["description"] == kind.description
    assert {"required": [kind.name]} in schema["$defs"]["Task"]["oneOf"]
    assert ({"required": [kind.name]} in schema["oneOf"]) == (not kind.in_tasks_only)
    example = json.dumps(kind.example) if not isinstance(kind.example, str) else kind.example
    row = f"| `{kind.name}` | {kind.description} | `{kind.name}: {example}` | {kind.happens} |"
    executor = "–" if kind.executor is None else f"`{kind.executor or 'kind'}`"
    assert f"{row} {executor} |" in reference


def test_every_kind_is_a_field_that_is_not_planned() -> None:
    assert set(NAMES) < set(field_names(Task))
    assert not set(NAMES) & set(PLANNED_WORK)


NEW = '''
"""rest: waits a while."""

from scheduler.model.problems import Refused
from scheduler.model.work.kind import Kind


def _value():
    from typing import Annotated

    from pydantic import AfterValidator

    return Annotated[int, AfterValidator(_seconds)]


def _seconds(value):
    if value < 1:
        raise Refused("nobody rests so short", "a second at least")
    return value


REST = Kind(
    "rest", "waits a while", 5, _value, lambda task: {"seconds": task["rest"]}, "agent", "rest",
    unread=("stdin",), other_words=("wait",),
)
'''

USE = """
import json
from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.model.published import json_schema

def said(**fields):
    try:
        parse_job({"job": "a", **fields})
    except JobError as error:
        return [str(problem) for problem in error.problems]

task = json_schema()["$defs"]["Task"]
print(json.dumps({
    "work": compile_job(canonical(parse_job({"job": "a", "rest": 3}))).tasks[0].work,
    "refused": said(rest=0), "none": said(), "two": said(rest=1, run="x"), "unread": said(rest=1, stdin="x"),
    "near": said(tasks={"t": {"rset": 1}}), "word": said(tasks={"t": {"wait": 1}}),
    "schema": [task["properties"]["rest"]["description"], {"required": ["rest"]} in task["oneOf"]],
}))
"""


def test_a_kind_is_a_file_and_a_word_in_the_list(tmp_path: Path) -> None:
    """In a copy of scheduler/: what the checklist in CONTRIBUTING says is all that a new kind needs."""
    after = "RUN, EXEC, SCRIPT, PYTHON, HTTP, SSH, CUSTOM, NOOP, SLEEP, FINISH, POST, APPROVAL, JOB"
    assert told(tmp_path, "work", "rest", NEW, after=after, use=USE) == {
        "work": {"kind": "rest", "seconds": 3},
        "refused": ["/rest: nobody rests so short (a second at least)"],
        "none": [f"the job has no work (give {ONE_OF_SHORT}, rest, or tasks)"],
        "two": ["run and rest exclude each other (make a task for each)"],
        "unread": ["rest reads no stdin (remove stdin)"],
        "near": ["/tasks/t/rset: unknown field 'rset' (did you mean rest?)"],
        "word": ["/tasks/t/wait: unknown field 'wait' (did you mean rest?)"],
        "schema": ["waits a while", True],
    }

"""Notices: whom a job tells of what; each way is judged, published and compiled from its one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.model.compiled import CompiledNotice
from scheduler.model.notify import ABOUT, KINDS, Kind
from scheduler.model.published import json_schema
from tests.scheduler.model.grown import told

PROJECT = Path(__file__).parents[3]
URL = "https://hooks.example.org/a?token=b"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def said(*notices: Any) -> dict[str, str]:
    with pytest.raises(JobError) as caught:
        parse_job({"job": "a", "noop": True, "notify": list(notices)})
    return {p.pointer: f"{p.detail} | {p.hint}" for p in caught.value.problems}


@each_kind
def test_its_example_is_a_notice_that_compiles(kind: Kind) -> None:
    notice = {"on": ["failed", "recovered"], kind.name: kind.example}
    text = canonical(parse_job({"job": "a", "noop": True, "notify": [notice]}))

    assert json.loads(text)["notify"] == [notice]
    assert canonical(parse_job(json.loads(text))) == text
    expected = tuple(
        CompiledNotice(("failed", "recovered"), kind.name, target)
        for target in kind.targets(notice)
    )
    compiled = compile_job(text)
    assert compiled.notify == compiled.outline().notify == expected


def test_a_job_without_notices_tells_nobody() -> None:
    assert compile_job(canonical(parse_job({"job": "a", "noop": True, "notify": None}))).notify == ()


@pytest.mark.parametrize(
    ("on", "detail"),
    [
        ([], "on is empty"),
        ("failed", "on must be a list, not text"),
        (["failed", "failed"], "on says the same twice"),
        (["fialed"], "on: 'fialed' is nothing to tell of"),
        ([7], "on: 7 is nothing to tell of"),
        ([["failed"]], "on: ['failed'] is nothing to tell of"),
    ],
)
def test_what_it_is_about_is_a_list_of_known_words(on: Any, detail: str) -> None:
    assert said({"on": on, "webhook": URL})["/notify/0/on"].startswith(f"{detail} | ")


def test_nobody_is_told_of_the_same_twice() -> None:
    first = {"on": ["failed", "missed"], "webhook": URL}
    twice = f"notice 0 tells {URL} of {{}} already: it would hear of it twice | remove one of the two"
    assert said(first, first) == {
        "/notify/1/on/0": twice.format("failed"),
        "/notify/1/on/1": twice.format("missed"),
    }
    assert said(first, {"on": ["recovered", "missed"], "webhook": URL}) == {
        "/notify/1/on/1": twice.format("missed")
    }
    others = [{"on": ["recovered"], "webhook": URL}, {"on": ["failed"], "webhook": URL + "c"}]
    assert len(parse_job({"job": "a", "noop": True, "notify": [first, *others]}).notify) == 3


def test_what_is_missing_is_named() -> None:
    assert said({"webhook": URL}) == {"/notify/0/on": "on is required | "}
    assert said({"on": ["failed"]}) == {"/notify/0": "it tells nobody | give one of webhook, email, channel"}
    assert said("x")["/notify/0"].startswith("item 0 must be an object, not text")


def test_the_words_of_others_lead_to_what_there_is() -> None:
    for kind in KINDS:
        for word in kind.other_words:
            found = said({"on": ["failed"], "webhook": URL, word: "x"})
            assert found == {f"/notify/0/{word}": f"unknown field '{word}' | did you mean {kind.name}?"}


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("hooks.example.org", "it is no URL"),
        ("https://", "it is no URL"),
        ("ftp://hooks.example.org", "a webhook goes to https, not to ftp"),
        ("file:///etc/passwd", "a webhook goes to https, not to file"),
        ("http://hooks.example.org", "what goes over plain http can be read"),
        ("http://127.0.0.1.example.org", "what goes over plain http can be read"),
        ("http://10.0.0.1/", "what goes over plain http can be read"),
        ("https://ann:secret@hooks.example.org", "a name and a password in a URL are not sent"),
        ("https://hooks.example.org/#a", "what follows # is never sent"),
        ("https://hooks.example.org/a b", "a URL holds no blanks"),
        ("https://hooks.example.org/a\nb", "a URL holds no blanks"),
        ("https://hooks.example.org/\x7f", "a URL holds no blanks"),
        ("https://hooks.example.org/" + "a" * 2_048, "webhook is longer than 2048 characters"),
        (7, "webhook must be text, not a number"),
    ],
)
def test_where_no_webhook_goes(url: Any, detail: str) -> None:
    assert said({"on": ["failed"], "webhook": url})["/notify/0/webhook"].startswith(detail)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.org", "https://10.0.0.1:8443/a", "http://localhost:9/x", "http://[::1]:9", URL],
)
def test_where_one_may_go(url: str) -> None:
    job = parse_job({"job": "a", "noop": True, "notify": [{"on": ["failed"], "webhook": url}]})

    assert json.loads(canonical(job))["notify"][0]["webhook"] == url


@pytest.mark.parametrize(
    ("addresses", "detail"),
    [
        ("ops@example.org", "email must be a list of addresses, not text"),
        (7, "email must be a list of addresses, not a number"),
        ([], "0 addresses: 1 to 20"),
        ([f"a{i}@example.org" for i in range(21)], "21 addresses: 1 to 20"),
        (["ops"], "address 0: 'ops' is no mail address"),
        (["ops@example.org", "@example.org"], "address 1: '@example.org' is no mail address"),
        (["a b@example.org"], "address 0: 'a b@example.org': what stands before @ is none"),
        (["a\nBcc:x@example.org"], "address 0: "),
        (["Ops <ops@example.org>"], "address 0: "),
        (["o..ps@example.org"], "address 0: 'o..ps@example.org': what stands before @ is none"),
        (["l" * 65 + "@example.org"], "address 0: "),
        (["ops@exam_ple.org"], "address 0: 'ops@exam_ple.org': 'exam_ple.org' is no domain"),
        (["ops@.org"], "address 0: 'ops@.org': '.org' is no domain"),
        (["ops@" + "a" * 64 + ".org"], "address 0: "),
        ([7], "address 0: an address is text, not 7"),
        (["ops@example.org", "OPS@example.org"], "it says the same address twice"),
    ],
)
def test_a_mail_address_is_judged_before_anything_is_sent(addresses: Any, detail: str) -> None:
    (found,) = said({"on": ["failed"], "email": addresses}).values()
    assert found.startswith(detail)


def test_each_address_is_a_receiver_of_its_own_also_of_other_letters() -> None:
    addresses = ["ops@example.org", "jörg@bücher.example"]
    job = parse_job({"job": "a", "noop": True, "notify": [{"on": ["output"], "email": addresses}]})

    found = [(notice.kind, notice.target) for notice in compile_job(canonical(job)).notify]
    assert found == [("email", address) for address in addresses]


def test_a_job_has_ten_notices_at_most() -> None:
    notices = [{"on": ["failed"], "webhook": f"{URL}{i}"} for i in range(11)]
    assert said(*notices) == {"/notify": "notify has more than 10 entries | "}
    assert len(parse_job({"job": "a", "noop": True, "notify": notices[:10]}).notify) == 10


@each_kind
def test_the_schema_and_the_reference_say_what_it_says(kind: Kind) -> None:
    schema = json_schema()["$defs"]["Notice"]
    reference = (PROJECT / "docs" / "reference" / "job.md").read_text(encoding="utf-8")

    assert schema["properties"][kind.name]["description"] == kind.description
    assert {"required": [kind.name]} in schema["oneOf"]
    assert schema["properties"]["on"]["items"]["enum"] == list(ABOUT)
    assert f"| `{kind.name}` | {kind.description} | `{kind.name}: {kind.example}` |" in reference


NEW = '''
"""shout: to whom."""

from scheduler.model.notify.kind import Kind


def _value():
    return str


SHOUT = Kind(
    "shout", "out of a window", "the yard", _value, lambda notice: (notice["shout"],), other_words=("yell",)
)
'''

USE = """
import json
from scheduler.model import JobError, canonical, compile_job, parse_job
from scheduler.model.published import json_schema

def parsed(**notice):
    return parse_job({"job": "a", "noop": True, "notify": [{"on": ["failed"], **notice}]})

def said(**notice):
    try:
        parsed(**notice)
    except JobError as error:
        return [str(problem) for problem in error.problems]

print(json.dumps({
    "compiled": compile_job(canonical(parsed(shout="yard"))).notify,
    "none": said(), "two": said(shout="a", webhook="https://a.example"), "word": said(yell="a", shout="b"),
    "schema": json_schema()["$defs"]["Notice"]["properties"]["shout"]["description"],
}))
"""


def test_a_way_is_a_file_and_a_word_in_the_list(tmp_path: Path) -> None:
    """In a copy of scheduler/: what the checklist in CONTRIBUTING says of the model is all that it needs."""
    assert told(tmp_path, "notify", "shout", NEW, after="*WAYS, CHANNEL", use=USE) == {
        "compiled": [[["failed"], "shout", "yard"]],
        "none": ["/notify/0: it tells nobody (give one of webhook, email, channel, shout)"],
        "two": ["/notify/0: webhook and shout exclude each other (make a notice for each)"],
        "word": ["/notify/0/yell: unknown field 'yell' (did you mean shout?)"],
        "schema": "out of a window",
    }

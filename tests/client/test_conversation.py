"""Which node is asked, what is asked again: the conversation without a socket or a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cronclave import calls
from cronclave.conversation import LOSSES_MAX, Request, Session
from cronclave.effects import Connect, Give, Receive, Send, Sleep, Talk
from cronclave.errors import (
    ConflictError,
    DeniedError,
    InvalidError,
    NoLeaderError,
    NotFoundError,
    ProblemError,
    UnreachableError,
    VersionError,
)
from cronclave.target import Target

CLUSTER = {"version": "0.1.0", "peers": []}
LOST = b""  #: the connection ends in place of a reply


class World:
    """Nodes that answer as a test says, and a clock that goes on while it sleeps."""

    def __init__(self, *urls: str, meet: bool = False, within_s: float = 30.0) -> None:
        self.now_s = 1_000.0
        self.session = Session(
            Target(urls, "token", "", "the test"), lambda: self.now_s, within_s=within_s, meet=meet
        )
        self.answers: dict[str, Callable[[str], Any]] = {}  #: of a node, to the head of a request
        self.down: set[str] = set()
        self.asked: list[tuple[str, str]] = []  #: node, request
        self.connected: list[str] = []

    def do(self, talk: Talk[Any]) -> Any:
        answer: Any = None
        error: OSError | None = None
        try:
            while True:
                effect = talk.send(answer) if error is None else talk.throw(error)
                try:
                    answer, error = self._perform(effect), None
                except OSError as raised:
                    answer, error = None, raised
        except StopIteration as end:
            return end.value

    def _perform(self, effect: Any) -> Any:
        match effect:
            case Connect(url):
                self.connected.append(url)
                if url in self.down:
                    raise ConnectionRefusedError("connection refused")
                return Pipe(url)
            case Send(Pipe() as wire, data):
                if wire.is_closed or wire.url in self.down:
                    raise BrokenPipeError("broken pipe")
                text = data.decode()
                self.asked.append((wire.url, text))
                wire.replies.append(self.answers[wire.url](text))
            case Receive(Pipe() as wire):
                return wire.replies.pop(0) if wire.replies else b""
            case Sleep(seconds):
                self.now_s += seconds
            case Give(item):
                return item

    def keys(self) -> list[str]:
        return [
            line.partition(": ")[2]
            for _, text in self.asked
            for line in text.split("\r\n")
            if line.lower().startswith("idempotency-key")
        ]


class Pipe:
    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: list[Any] = []
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def reply(document: Any, status: int = 200, **headers: str) -> bytes:
    body = json.dumps(document).encode()
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{told}\r\n".encode() + body


def problem(kind: str, status: int, **fields: Any) -> bytes:
    return reply({"type": f"/problems/{kind}", "title": kind, "detail": "so it is", **fields}, status)


def post(path: str = "/v1/x", key: str = "") -> Request:
    return Request("POST", path, b"{}", key)


def test_a_node_that_refuses_is_left_for_the_next_without_a_pause() -> None:
    world = World("http://a", "http://b")
    world.down = {"http://a"}
    world.answers["http://b"] = lambda _: reply({"ok": 1})

    assert world.do(world.session.json(post())) == {"ok": 1}
    assert world.now_s == 1_000.0
    assert world.connected == ["http://a", "http://b"]
    world.do(world.session.json(post()))
    assert world.connected == ["http://a", "http://b"], "who answered is asked again, on that connection"


@pytest.mark.parametrize("kind", ["no-leader", "behind", "overloaded", "unavailable"])
def test_a_node_without_a_leader_is_asked_again_until_there_is_one(kind: str) -> None:
    world = World("http://a", "http://b")
    ready_s = 1_002.0

    def answer(_: str) -> bytes:
        return reply({"ok": 1}) if world.now_s >= ready_s else problem(kind, 503)

    world.answers = {"http://a": answer, "http://b": answer}

    assert world.do(world.session.json(post(key="mine"))) == {"ok": 1}
    assert set(world.keys()) == {"mine"}
    assert 1_002.0 <= world.now_s < 1_003.5


def test_patience_has_an_end_and_says_why() -> None:
    world = World("http://a", "http://b", within_s=5)
    world.answers = dict.fromkeys(("http://a", "http://b"), lambda _: problem("no-leader", 503))

    with pytest.raises(NoLeaderError):
        world.do(world.session.json(post()))
    assert 1_004 <= world.now_s <= 1_007
    assert len(world.asked) < 40

    world.down = {"http://a", "http://b"}
    with pytest.raises(UnreachableError) as caught:
        world.do(world.session.json(post(key="mine")))
    assert set(caught.value.tried) == {"http://a", "http://b"}
    assert caught.value.key == "mine"
    assert "'mine'" in str(caught.value)


def test_a_reply_that_never_came_is_asked_for_with_the_same_key() -> None:
    world = World("http://a", "http://b")
    world.answers = {"http://a": lambda _: LOST, "http://b": lambda _: reply({"ok": 1})}

    assert world.do(world.session.json(post())) == {"ok": 1}
    first, second = world.keys()
    assert first == second != ""
    world.do(world.session.json(post()))
    assert world.keys()[2] != first, "another request has another key"


def test_what_may_be_ending_the_nodes_is_not_sent_for_ever() -> None:
    world = World("http://a", "http://b", "http://c", "http://d")
    world.answers = dict.fromkeys(world.session.urls, lambda _: LOST)

    with pytest.raises(UnreachableError, match="unknown"):
        world.do(world.session.json(post()))
    assert len(world.asked) == LOSSES_MAX


def test_a_kept_connection_that_was_closed_is_no_loss() -> None:
    world = World("http://a")
    world.answers["http://a"] = lambda _: reply({})
    for _ in range(LOSSES_MAX + 2):
        world.do(world.session.json(post()))
        world.session._idle[0].wire.close()

    assert len(world.connected) == LOSSES_MAX + 2
    assert len(set(world.keys())) == LOSSES_MAX + 2
    assert world.now_s == 1_000.0


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    world = World("http://a", "http://b")
    world.answers = {
        "http://a": lambda _: reply({"ok": 1})[:-4],
        "http://b": lambda _: reply({"ok": 1}),
    }

    assert world.do(world.session.json(Request("GET", "/v1/x"))) == {"ok": 1}


def test_what_is_no_http_is_no_reply() -> None:
    world = World("http://a", within_s=1)
    world.answers["http://a"] = lambda _: b"SSH-2.0-OpenSSH_9.2\r\n"

    with pytest.raises(UnreachableError, match="HTTP"):
        world.do(world.session.json(Request("GET", "/v1/x")))


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "unauthorized", DeniedError),
        (403, "forbidden", DeniedError),
        (404, "not-found", NotFoundError),
        (409, "exists", ConflictError),
        (412, "revision-mismatch", ConflictError),
        (422, "validation", InvalidError),
        (507, "storage-low", ProblemError),
    ],
)
def test_a_refusal_is_an_exception_with_the_problem_s_fields(
    status: int, kind: str, error: type[ProblemError]
) -> None:
    world = World("http://a", "http://b")
    fault = {"pointer": "/params/n", "detail": "n must be an integer", "hint": "write 3"}
    world.answers["http://a"] = lambda _: problem(kind, status, errors=[fault], hint="do so")

    with pytest.raises(error) as caught:
        world.do(world.session.json(post()))

    assert (caught.value.status, caught.value.kind, caught.value.detail) == (status, kind, "so it is")
    assert caught.value.hint == "do so"
    assert [(each.pointer, each.hint) for each in caught.value.errors] == [("/params/n", "write 3")]
    assert "/params/n: n must be an integer (write 3)" in str(caught.value)
    assert len(world.asked) == 1, "a refusal is an answer"


def test_the_first_request_looks_whom_it_talks_to_and_learns_the_others() -> None:
    world = World("http://127.0.0.1:1", meet=True)
    peers = [{"url": "http://127.0.0.2:2/"}, {"url": "http://elsewhere:3"}, {"url": "nonsense"}, {"url": ""}]

    def answer(text: str) -> bytes:
        return reply({**CLUSTER, "peers": peers} if "/v1/cluster?" in text else {"ok": 1})

    world.answers = dict.fromkeys(("http://127.0.0.1:1", "http://127.0.0.2:2"), answer)
    assert world.do(world.session.json(post())) == {"ok": 1}
    assert world.session.urls == ["http://127.0.0.1:1", "http://127.0.0.2:2"], "no other may have the token"

    world.down = {"http://127.0.0.1:1"}
    assert world.do(world.session.json(post())) == {"ok": 1}
    assert sum("/v1/cluster?" in text for _, text in world.asked) == 1


def test_a_cluster_that_was_found_by_tls_is_never_left_for_plain_text() -> None:
    world = World("https://a", meet=True)
    peers = [{"url": "http://127.0.0.1:2"}, {"url": "https://b"}]
    world.answers["https://a"] = lambda _: reply({**CLUSTER, "peers": peers})

    world.do(world.session.json(post()))
    assert world.session.urls == ["https://a", "https://b"]


@pytest.mark.parametrize(
    "answer",
    [
        reply({"hello": "I am nginx"}),
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope",
        reply({**CLUSTER, "version": "0.0.9"}),
    ],
)
def test_who_is_no_node_or_an_old_one_is_told_in_words(answer: bytes) -> None:
    world = World("http://a", meet=True)
    world.answers["http://a"] = lambda _: answer

    with pytest.raises(VersionError, match=r"as a Cronclave node|version 0\.0\.9"):
        world.do(world.session.json(post()))


def test_a_newer_cluster_is_none_to_fear() -> None:
    world = World("http://a", meet=True)
    world.answers["http://a"] = lambda text: reply({**CLUSTER, "version": "2.0.0rc1"})

    world.do(world.session.json(post()))


def test_a_header_that_would_be_two_is_refused() -> None:
    world = World("http://a")
    with pytest.raises(Exception, match="cannot be sent"):
        world.do(world.session.json(post(key="a\r\nX-Evil: 1")))
    assert not world.asked


def test_names_are_parts_of_a_path_and_nothing_else() -> None:
    world = World("http://a")
    world.answers["http://a"] = lambda _: reply({"id": 1})
    with pytest.raises(KeyError):
        world.do(calls.submit(world.session, "../x?y", "n s", {}, ""))

    assert world.asked[0][1].startswith("POST /v1/jobs/x%3Fy/runs?namespace=.. HTTP/1.1")

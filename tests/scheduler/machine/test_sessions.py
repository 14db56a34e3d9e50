"""Browser sessions in the state: so many, until then, each of one token and over with it."""

from __future__ import annotations

import pytest

from scheduler.machine import sessions as machine
from scheduler.plan.passes.upkeep import KEPT_MS
from scheduler.store.reads import tokens as token_reads
from scheduler.store.tables import sessions
from scheduler.words import commands as c
from scheduler.words.events import SessionClosed
from tests.scheduler.story import START_MS, Story


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


TOKEN, OTHER = digest(1 << 200), digest(2 << 200)


@pytest.fixture
def tokens(story: Story) -> Story:
    story.now_ms = START_MS
    story.tell_ok(c.PutToken("boss", digest(0), "admin"), c.PutToken("ops", TOKEN, "operator"))
    return story


def begin(story: Story, number: int, token: str = "ops", sha256: bytes = TOKEN) -> str:
    return story.tell(c.OpenSession(token, sha256, digest(number)))[0].code


def test_a_session_is_known_by_its_hash_and_is_what_its_token_is(tokens: Story) -> None:
    assert begin(tokens, 7) == "ok"
    found = token_reads.session(tokens.store, digest(7))
    assert found is not None
    assert found.expires_ms == START_MS + machine.LIFE_MS
    assert (found.credential.name, found.credential.role) == ("ops", "operator")
    assert token_reads.session(tokens.store, TOKEN) is None


def test_whoever_does_not_have_the_token_opens_nothing(tokens: Story) -> None:
    assert begin(tokens, 7, sha256=OTHER) == "not_found"
    assert begin(tokens, 7, token="nobody") == "not_found"
    assert begin(tokens, 7) == "ok"
    assert begin(tokens, 7) == "exists", "nobody takes a session over"
    assert tokens.tell(c.OpenSession("ops", TOKEN, b"short"))[0].code == "invalid"


def test_a_session_ends_when_it_is_closed_and_is_heard_of(tokens: Story) -> None:
    begin(tokens, 7)
    outcome = tokens.tell(c.CloseSession(digest(7)))[0]
    assert outcome.ok
    assert token_reads.session(tokens.store, digest(7)) is None
    assert SessionClosed("ops") in tokens.events
    assert tokens.tell(c.CloseSession(digest(7)))[0].code == "not_found"


def test_withdrawing_the_token_ends_its_sessions_and_those_of_no_other(tokens: Story) -> None:
    begin(tokens, 7)
    begin(tokens, 8, "boss", digest(0))
    tokens.tell_ok(c.DeleteToken("ops"), c.PutToken("ops", OTHER, "admin"))
    assert token_reads.session(tokens.store, digest(7)) is None, "a new token of the old name revives none"
    assert token_reads.session(tokens.store, digest(8)) is not None


def test_the_oldest_makes_room(tokens: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PER_TOKEN_MAX", 3)
    monkeypatch.setattr(machine, "SESSIONS_MAX", 4)
    begin(tokens, 100, "boss", digest(0))
    for number in range(5):
        tokens.now_ms += 1
        assert begin(tokens, number) == "ok"
    assert sessions.count(tokens.store, "ops") == 3
    assert token_reads.session(tokens.store, digest(1)) is None
    assert token_reads.session(tokens.store, digest(2)) is not None
    tokens.now_ms += 1
    assert begin(tokens, 101, "boss", digest(0)) == "ok"
    assert sessions.count(tokens.store) == 4
    assert token_reads.session(tokens.store, digest(100)) is None, "the oldest of all"


def test_upkeep_drops_those_that_have_ended(tokens: Story) -> None:
    tokens.lead()
    begin(tokens, 7)
    tokens.now_ms += machine.LIFE_MS
    begin(tokens, 8)
    swept = tokens.value(c.Sweep(tokens.epoch, START_MS + machine.LIFE_MS, 10), "sessions")
    assert swept == 0
    tokens.now_ms += KEPT_MS
    assert tokens.value(c.Sweep(tokens.epoch, START_MS + machine.LIFE_MS + 1, 10), "sessions") == 1
    assert token_reads.session(tokens.store, digest(8)) is not None

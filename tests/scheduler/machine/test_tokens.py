"""Join tokens in the state: so many uses, until then, each newcomer known by a credential of its own."""

from __future__ import annotations

import pytest

from scheduler.machine.tokens import KEPT_MS, NAMESPACES_MAX
from scheduler.store.reads import tokens as token_reads
from scheduler.store.tables import tokens as token_rows
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story

HOUR_MS = 3_600_000


def digest(number: int) -> bytes:
    return bytes([number]) * 32


def invite(
    story: Story, *, uses: int = 1, role: str = "join-agent", holder: str = "", pool: str = ""
) -> None:
    story.now_ms = START_MS
    story.tell_ok(c.PutToken("boss", digest(1), "admin"))
    story.tell_ok(c.PutToken("inv", digest(2), role, START_MS + HOUR_MS, uses, holder, pool))


def redeem(story: Story, holder: str, credential: int, *, pool: str = "web", token: str = "inv") -> str:
    return story.tell(c.RedeemToken(token, holder, digest(credential), pool))[0].code or "ok"


def test_each_newcomer_takes_a_use_and_a_repetition_takes_none(story: Story) -> None:
    invite(story, uses=2)
    for _ in range(3):
        assert redeem(story, "a", 10) == "ok"
    assert token_rows.limits(story.store, "inv").uses == 1
    assert redeem(story, "a", 11) == "exists", "another secret under the same name"
    assert redeem(story, "b", 12) == "ok"
    assert redeem(story, "c", 13) == "ended"
    assert redeem(story, "a", 10) == "ok", "its reply was lost"
    made = token_rows.by_digest(story.store, digest(10))
    assert made == ("agent:a", "agent", 0, "a", "web", {})


def test_a_join_token_ends_with_its_time_by_the_stamp_of_the_entry(story: Story) -> None:
    invite(story)
    story.now_ms = START_MS + HOUR_MS
    assert redeem(story, "a", 10) == "ended"
    assert token_rows.by_digest(story.store, digest(10)) is None


def test_a_join_token_may_be_for_one_name_and_one_pool(story: Story) -> None:
    invite(story, holder="a", pool="web", uses=5)
    assert redeem(story, "b", 10) == "conflict"
    assert redeem(story, "a", 10, pool="db") == "conflict"
    assert redeem(story, "a", 10) == "ok"


def test_what_is_no_join_token_redeems_nothing_and_no_secret_is_taken_over(story: Story) -> None:
    invite(story, uses=5)
    assert redeem(story, "a", 10, token="boss") == "not_found"
    assert redeem(story, "a", 10, token="gone") == "not_found"
    assert redeem(story, "a", 1) == "invalid", "the hash of the administrator's token"
    story.tell_ok(c.PutToken("node-inv", digest(3), "join-node", START_MS + HOUR_MS, 1))
    assert redeem(story, "n", 20, token="node-inv", pool="") == "ok"
    made = token_rows.find(story.store, "node:n")
    assert made is not None
    assert made.role == "node"


def test_a_join_token_needs_an_end_and_uses(story: Story) -> None:
    story.now_ms = START_MS
    for expires_ms, uses in ((0, 1), (START_MS, 1), (START_MS + 1, 0)):
        assert story.tell(c.PutToken("inv", digest(2), "join-agent", expires_ms, uses))[0].code == "invalid"


def test_a_token_is_withdrawn_but_the_last_administrator_stays(story: Story) -> None:
    invite(story)
    assert redeem(story, "a", 10) == "ok"
    story.tell_ok(c.DeleteToken("agent:a"))
    assert token_rows.by_digest(story.store, digest(10)) is None
    assert token_rows.limits(story.store, "agent:a") == token_rows.UNLIMITED
    assert story.tell(c.DeleteToken("agent:a"))[0].code == "not_found"
    assert story.tell(c.DeleteToken("boss"))[0].code == "conflict"
    story.tell_ok(c.PutToken("short", digest(4), "admin", START_MS + HOUR_MS))
    assert story.tell(c.DeleteToken("boss"))[0].code == "conflict", "the other one ends in an hour"
    story.tell_ok(c.PutToken("other", digest(5), "admin"), c.DeleteToken("boss"))


def test_what_has_ended_is_removed_when_the_next_token_comes(story: Story) -> None:
    invite(story)
    story.now_ms = START_MS + HOUR_MS + KEPT_MS
    story.tell_ok(c.PutToken("next", digest(6), "viewer"))
    assert [each.token.name for each in token_reads.listed(story.store)] == ["boss", "next"]


# -- roles by namespace --------------------------------------------------------------------------------------


def granted(**roles: str) -> tuple[c.Granted, ...]:
    return tuple(c.Granted(*each) for each in roles.items())


@pytest.mark.parametrize(
    ("role", "roles"),
    [
        ("", ()),
        ("", granted(x="agent")),
        ("", granted(x="king")),
        ("", (c.Granted("", "viewer"),)),
        ("king", granted(x="viewer")),
        ("", granted(x="viewer") * 2),
        ("", granted(**{f"n{i}": "viewer" for i in range(NAMESPACES_MAX + 1)})),
    ],
)
def test_roles_that_no_token_has_are_refused(story: Story, role: str, roles: tuple[c.Granted, ...]) -> None:
    assert story.one(c.PutToken("t", digest(1), role, roles=roles)).code == "invalid"


def test_a_token_of_single_namespaces_has_its_roles_there_and_is_the_same_again_with_these(
    story: Story,
) -> None:
    put = c.PutToken("t", digest(1), "", roles=granted(b="viewer", a="admin"))
    story.tell_ok(c.PutToken("boss", digest(2), "admin"), put, put)
    assert story.one(c.PutToken("t", digest(1), "", roles=granted(b="viewer"))).code == "exists"
    found = token_rows.by_digest(story.store, digest(1))
    assert found == ("t", "", 0, "", "", {"a": "admin", "b": "viewer"})
    assert token_rows.administrators(story.store) == ["boss"], "of a namespace is none of the cluster"


def test_a_token_is_withdrawn_within_namespaces_that_have_all_its_roles(story: Story) -> None:
    story.tell_ok(
        c.PutToken("boss", digest(1), "admin"),
        c.PutToken("both", digest(2), "", roles=granted(a="viewer", b="viewer")),
        c.PutToken("wide", digest(3), "viewer", roles=granted(a="viewer")),
    )
    for name in ("both", "wide", "boss"):
        assert story.one(c.DeleteToken(name, within=("a",))).code == "not_found"
    story.tell_ok(c.DeleteToken("both", within=("a", "b")))
    assert story.store.rows("SELECT DISTINCT name FROM token_roles") == [("wide",)]

"""Who is wrong when states differ, and when disks are short: the majority of the voters says so."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.peers import PeerInfo
from node.majority import differs_at, is_storage_low

OWN = {16: b"own16", 32: b"own32"}
SAME = {"16": b"own16".hex(), "32": b"own32".hex()}
OTHER = {"16": b"own16".hex(), "32": b"other".hex()}
THIRD = {"32": b"third".hex()}


def peer(status: dict[str, Any], *, voter: bool = True) -> PeerInfo:
    return PeerInfo("p", "u", "h:1", "z", "", voter, True, 0, 0, 0, 0, None, 1, 1, status)


def learner(status: dict[str, Any]) -> PeerInfo:
    return peer(status, voter=False)


def say(*marks: object) -> list[PeerInfo]:
    return [peer({"marks": told}) for told in marks]


@pytest.mark.parametrize(
    ("peers", "index"),
    [
        (say(OTHER, OTHER), 32),
        (say(SAME, OTHER), None),  # the other one is wrong
        (say(OTHER, THIRD), None),  # nobody knows who
        (say(OTHER), None),  # of two nobody knows who
        (say(OTHER, {"48": "later"}), None),  # one has not come there, or has forgotten it
        (say(OTHER, OTHER, SAME, SAME), None),
        (say(OTHER, OTHER, OTHER, SAME), 32),
        (say(OTHER, OTHER, SAME), None),  # two against two
        ([*say(OTHER, SAME), learner({"marks": OTHER})], None),  # a learner's word counts for nothing
        ([*say(OTHER, OTHER), learner({})], 32),  # and it makes nobody need more
        ([*say(OTHER, 7), peer({})], None),  # what makes no sense, and nothing at all
        (say({"32": 5}, {"32": 5}), None),
    ],
)
def test_a_state_is_wrong_where_a_majority_agrees_on_another(
    peers: list[PeerInfo], index: int | None
) -> None:
    assert differs_at(OWN, peers) == index


@pytest.mark.parametrize(
    ("own", "peers", "low"),
    [
        (False, [peer({"low": True}), peer({"low": True})], True),
        (True, [peer({"low": True}), peer({"low": False})], True),
        (True, [peer({"low": False}), peer({})], False),
        (True, [peer({"low": True}), peer({}), learner({})], True),  # two of three voters
        (True, [peer({}), peer({}), learner({"low": True})], False),
        (True, [], True),
    ],
)
def test_the_cluster_is_short_of_disk_when_a_majority_of_its_voters_is(
    own: bool, peers: list[PeerInfo], low: bool
) -> None:
    assert is_storage_low(own, peers) is low

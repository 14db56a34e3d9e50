"""Three real members over TCP: elect, propose, lose the leader, come back."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.members import running


def test_members_elect_and_apply_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        follower = group.followers[0]
        group.propose(leader, "one")
        group.settle("one")
        group.propose(follower, "two")
        group.settle("two")
        assert leader.machine.proposals == [f"lead {leader.name}", "one", "two"]

"""Elections: what must not cost the survivors of a leader a whole election timeout, and the rules one by one.

Rafts whose every message is delivered by hand; a was elected by b and c.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.raft import Role
from tests.cluster.test_hardening import TIMINGS, Bench
from tests.cluster.test_safety import Alone

WELL_BEFORE_A_TIMEOUT_S = TIMINGS.election_min_s * 0.9


@pytest.fixture
def bench() -> Bench:
    bench = Bench("abc")
    bench.elect("a", "b")
    for name in "bc":
        bench.deliver("a", name, "append_entries")
    bench.sent.clear()
    return bench


def lose(bench: Bench, *names: str) -> None:
    for name in names:
        bench[name].disconnected("a")


def questions(bench: Bench, source: str, target: str, within_s: float) -> int:
    """How often the source asks the target within the time; the questions are lost."""
    asked, until_s = 0, bench.time + within_s
    while bench.time < until_s:
        bench.tick(source, after_s=0.005)
        asked += len(list(bench.take(source, target, "prevote")))
    return asked


def ask(bench: Bench, name: str) -> None:
    bench[name].election_deadline = 0.0
    bench.tick(name)


def finish(bench: Bench, name: str, voter: str) -> None:
    bench.tick(name)
    bench.deliver(name, voter, "request_vote")
    bench.deliver(voter, name, "response_vote")
    assert bench[name].role() is Role.LEADER


def test_question_that_came_before_the_loss_was_seen_is_answered_anew(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    assert [m["granted"] for _, _, m in bench.take("c", "b", "prevoted")] == [False]  # it has a leader

    lose(bench, "c")

    bench.deliver("c", "b", "prevoted")
    finish(bench, "b", "c")


def test_voter_whose_leader_lives_never_takes_its_no_back(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    bench.sent.clear()

    bench["c"].disconnected("b")  # another link than the leader's

    assert not list(bench.take("c", "b", "prevoted"))


def test_question_of_long_ago_is_not_answered_anew(bench: Bench) -> None:
    lose(bench, "b")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    bench.sent.clear()
    bench.time += TIMINGS.election_min_s + 0.01

    lose(bench, "c")

    assert not list(bench.take("c", "b", "prevoted"))


def test_survivor_with_the_longer_log_stands_at_once_when_the_other_asks(bench: Bench) -> None:
    bench.append("a", 3)
    bench.deliver("a", "c", "append_entries")  # and never b
    lose(bench, "b", "c")
    bench.sent.clear()
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    assert [m["granted"] for _, _, m in bench.take("c", "b", "prevoted")] == [False]  # its log is shorter

    bench.tick("c", after_s=0.001)  # long before its rank's turn

    bench.deliver("c", "b", "prevote")
    bench.deliver("b", "c", "prevoted")
    finish(bench, "c", "b")


def test_survivor_that_said_yes_lets_the_other_go_first(bench: Bench) -> None:
    lose(bench, "b", "c")
    bench["c"].election_deadline = bench.time + 0.004  # its own question was just due
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")

    assert questions(bench, "c", "b", TIMINGS.stagger_s * 0.9) == 0
    bench.deliver("c", "b", "prevoted")
    finish(bench, "b", "c")


def test_question_that_was_lost_is_asked_again_before_an_election_timeout(bench: Bench) -> None:
    lose(bench, "b")

    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) >= 2


def test_follower_of_a_leader_that_is_silent_waits_for_its_whole_timeout(bench: Bench) -> None:
    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) == 0


def test_link_that_comes_after_the_loss_starts_the_question_at_once(bench: Bench) -> None:
    """A node that has just come back has not all its links when the leader dies."""
    bench["b"].disconnected("c")
    lose(bench, "b", "c")
    bench["b"].election_deadline = bench.time + 1.0

    bench["b"].connected("c")

    assert questions(bench, "b", "c", TIMINGS.stagger_s + 0.05) == 1


def test_what_is_known_ages_from_the_leaders_last_word_on(bench: Bench) -> None:
    """Also once its link is gone; a leader that gave up knew all when a majority had last answered it."""
    told_s = bench["b"].elections.told
    assert told_s == bench.time
    bench.time += 0.2
    lose(bench, "b")
    assert bench["b"].elections.told == told_s

    for name in "bc":
        bench.append("a", 1)
        bench.deliver("a", name, "append_entries")
        bench.tick(name)
    bench.deliver("b", "a", "next_node_idx")
    answered_s = bench.time
    bench.time += 60.0  # it was stopped
    bench.tick("a")
    assert bench["a"].role() is not Role.LEADER
    assert bench["a"].elections.told == answered_s


def test_a_new_leader_knows_how_long_the_one_before_was_silent(bench: Bench) -> None:
    """Its Lead says so: in between nobody could decide."""
    told_s = bench["b"].elections.told
    bench.time += 0.25
    lose(bench, "b", "c")
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    bench.deliver("c", "b", "prevoted")
    finish(bench, "b", "c")
    assert bench["b"].elections.silent_ms == int((bench.time - told_s) * 1000) >= 250


def test_who_has_heard_of_no_leader_yet_does_not_know_how_old_its_knowledge_is(tmp_path: Path) -> None:
    started = Alone(tmp_path, "abc").start()
    assert started.leader_silent_ms is started.former_silent_ms is None


# ---- rule 1: nobody's term rises before a majority says that it would vote


def say(bench: Bench, source: str, target: str, round: int, *, granted: bool = True) -> None:
    bench[target].deliver(source, {"type": "prevoted", "round": round, "granted": granted})


def round_of_question(bench: Bench, name: str) -> int:
    """Ask now; the question itself is lost."""
    ask(bench, name)
    return int(next(bench.take(name, "", "prevote"))[2]["round"])


@pytest.mark.parametrize(
    "answers", ["", "b", "bbb", "bx"], ids=["none", "too-few", "one-voter-thrice", "one-without-a-vote"]
)
def test_no_term_rises_before_a_majority_of_the_voters_says_yes(answers: str) -> None:
    bench = Bench("abcde")
    round = round_of_question(bench, "a")
    for voter in answers:
        say(bench, voter, "a", round)
    say(bench, "d", "a", round, granted=False)
    bench.tick("a")
    assert bench["a"].term() == 0

    for voter in "bc":
        say(bench, voter, "a", round)
    bench.tick("a")
    assert bench["a"].term() == 1


def test_yes_counts_for_its_own_question_alone() -> None:
    bench = Bench("abcde")
    first = round_of_question(bench, "a")
    say(bench, "b", "a", first)
    second = round_of_question(bench, "a")
    say(bench, "c", "a", first)  # late
    say(bench, "d", "a", second)
    bench.tick("a")
    assert bench["a"].term() == 0  # b and c spoke of another time

    say(bench, "e", "a", second)
    bench.tick("a")
    assert bench["a"].term() == 1


def test_each_election_needs_a_yes_of_its_own() -> None:
    """The one that was allowed was lost; the next may meet a leader that the others have by then."""
    bench = Bench("abc")
    say(bench, "b", "a", round_of_question(bench, "a"))
    bench.tick("a")
    assert bench["a"].term() == 1
    bench.sent.clear()

    assert questions(bench, "a", "b", 2 * TIMINGS.election_max_s) > 0
    assert bench["a"].term() == 1


def slow_disk(bench: Bench, name: str, took_s: float) -> None:
    """Votes reach this disk so late, and no message is read meanwhile."""

    def spend(seconds: float) -> None:
        bench.time += seconds

    bench.disks[name].sync_s, bench.disks[name].spend = took_s, spend


def test_disk_that_takes_a_vote_late_needs_a_yes_for_each_election_too() -> None:
    """It took longer than the election timeout: on a starved machine the terms rose by dozens so."""
    bench = Bench("abc")
    slow_disk(bench, "a", 5 * TIMINGS.election_max_s)
    say(bench, "b", "a", round_of_question(bench, "a"))
    bench.tick("a")
    assert bench["a"].term() == 1
    bench.sent.clear()

    assert questions(bench, "a", "b", WELL_BEFORE_A_TIMEOUT_S) == 0, "the answers are on their way"
    assert questions(bench, "a", "b", 2 * TIMINGS.election_max_s) > 0
    assert bench["a"].term() == 1


@pytest.mark.parametrize("is_yes_first", [True, False])
def test_yes_is_void_once_another_has_the_vote_of_that_term(is_yes_first: bool) -> None:
    """Or the one that was just voted for would be deposed."""
    bench = Bench("abc")
    round = round_of_question(bench, "a")
    bench.sent.clear()
    ask(bench, "c")
    say(bench, "b", "c", 1)
    bench.tick("c")
    if is_yes_first:
        say(bench, "b", "a", round)
    bench.deliver("c", "a", "request_vote")
    if not is_yes_first:
        say(bench, "b", "a", round)
    bench.tick("a", after_s=TIMINGS.election_max_s + 0.1)  # its disk kept it, and it has read nothing since

    assert bench["a"].term() == bench["c"].term() == 1
    bench.deliver("a", "c", "response_vote")
    assert bench["c"].role() is Role.LEADER


def test_question_about_a_term_that_has_begun_is_refused_and_the_term_told() -> None:
    bench = Bench("abc")
    bench.elect("a", "b")
    bench.sent.clear()
    ask(bench, "c")  # it has heard of nothing: for term 1

    bench.deliver("c", "b", "prevote")

    assert [m["granted"] for _, _, m in bench.take("b", "c", "prevoted")] == [False]
    bench.deliver("b", "c", "higher_term")
    assert bench["c"].term() == 1


def test_leader_says_no(bench: Bench) -> None:
    ask(bench, "c")
    bench.deliver("c", "a", "prevote")
    assert [m["granted"] for _, _, m in bench.take("a", "c", "prevoted")] == [False]


@pytest.mark.parametrize(
    ("last", "granted"), [((2, 1), True), ((1, 1), False), ((99, 0), False), ((2, 0), False), ((1, 2), True)]
)
def test_the_later_term_and_then_the_longer_log_may_lead(
    bench: Bench, last: tuple[int, int], granted: bool
) -> None:
    """The log of the one that is asked ends with entry 2 of term 1."""
    lose(bench, "b")
    question = {"type": "prevote", "term": 9, "last_log_index": last[0], "last_log_term": last[1], "round": 1}
    bench["b"].deliver("c", question)
    assert [m["granted"] for _, _, m in bench.take("b", "c", "prevoted")] == [granted]


def test_leader_that_was_deposed_waits_a_whole_timeout(bench: Bench) -> None:
    bench.time += TIMINGS.election_max_s
    bench["a"].deliver("b", {"type": "higher_term", "term": 5})
    assert questions(bench, "a", "b", WELL_BEFORE_A_TIMEOUT_S) == 0


# ---- rule 2: a broken link is news; the survivors ask in the order of their names


def asked_in_turn(bench: Bench, names: str) -> list[str]:
    """Who asks soon, and who a rank's turn later; every question is lost."""
    asked = []
    bench.time += 0.025
    for _ in range(2):
        bench.sent.clear()
        for name in names:
            bench.tick(name)
        asked.append("".join(dict.fromkeys(source for source, _, _ in bench.take("", "", "prevote"))))
        bench.time += TIMINGS.stagger_s
    return asked


def test_survivors_ask_one_after_the_other_by_name() -> None:
    bench = Bench("abcde")
    bench.elect("a", "b", "c")
    for name in "bcde":
        bench.deliver("a", name, "append_entries")
    lose(bench, *"bcde")
    assert asked_in_turn(bench, "bcde") == ["b", "c"]


def test_members_of_a_new_cluster_ask_one_after_the_other_by_name() -> None:
    assert asked_in_turn(Bench("abcde"), "abcde") == ["a", "b"]


@pytest.mark.parametrize("direction", ["ours", "theirs"])
def test_each_direction_of_the_leaders_link_is_news(direction: str, tmp_path: Path) -> None:
    node = Alone(tmp_path, "abc").start()
    heartbeat = {"type": "append_entries", "term": 1, "prevLogIdx": 1, "prevLogTerm": 0, "commit_index": 1}
    node.received("c", {**heartbeat, "entries": [], "behind": False})
    assert node.leader == "c"
    lost = node.disconnected if direction == "ours" else node.inbound_lost

    lost("b")
    assert node.leader == "c"
    lost("c")
    assert node.leader is None


def test_question_of_the_lost_leader_itself_holds_nobody_up(bench: Bench) -> None:
    """It was deposed, asked, and died: who would let it go first waits for nothing."""
    bench["a"].deliver("c", {"type": "higher_term", "term": 5})
    ask(bench, "a")
    bench.deliver("a", "b", "prevote")
    lose(bench, "b")
    assert questions(bench, "b", "c", 0.03) == 1


def test_longer_log_beside_a_leader_that_lives_is_no_reason_to_ask(bench: Bench) -> None:
    bench.append("a", 3)
    bench.deliver("a", "c", "append_entries")  # and never b
    lose(bench, "b")
    bench.sent.clear()
    ask(bench, "b")
    bench.deliver("b", "c", "prevote")
    assert questions(bench, "c", "b", WELL_BEFORE_A_TIMEOUT_S) == 0


def test_survivor_that_has_its_majority_is_not_held_up_by_another_question(bench: Bench) -> None:
    lose(bench, "b", "c")
    say(bench, "c", "b", round_of_question(bench, "b"))
    ask(bench, "c")
    bench.deliver("c", "b", "prevote")
    finish(bench, "b", "c")


def test_who_gets_no_majority_for_long_asks_no_more_often_than_others(bench: Bench) -> None:
    """Cut off from all, it need not hurry."""
    lose(bench, "b")
    questions(bench, "b", "c", 2 * TIMINGS.election_max_s)
    assert questions(bench, "b", "c", 20 * TIMINGS.election_min_s) <= 20


def test_link_that_comes_while_a_leader_lives_starts_no_question(bench: Bench) -> None:
    bench["b"].disconnected("c")
    bench["b"].connected("c")
    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) == 0


def test_link_that_gives_no_majority_starts_no_question() -> None:
    bench = Bench("abcde")
    for name in "bcde":
        bench["a"].disconnected(name)
    bench["a"].election_deadline = bench.time + 1.0
    bench["a"].connected("b")
    assert questions(bench, "a", "b", 0.9) == 0
    bench["a"].connected("c")
    assert questions(bench, "a", "b", 0.09) == 1


# ---- rule 3: a voter counts once


def test_votes_count_of_voters_alone_once_each_and_for_this_term() -> None:
    bench = Bench("abcde")
    round = round_of_question(bench, "a")
    for voter in "bc":
        say(bench, voter, "a", round)
    bench.tick("a")
    assert bench["a"].term() == 1

    for peer, told in (("x", 1), ("y", 1), ("d", 0), ("b", 1), ("b", 1)):
        bench["a"].deliver(peer, {"type": "response_vote", "term": told})
        assert bench["a"].role() is Role.CANDIDATE
    bench["a"].deliver("d", {"type": "response_vote", "term": 1})  # an older one of it did not use it up
    assert bench["a"].role() is Role.LEADER


# ---- rule 4: nobody stands without a vote or without its state, when it is about to end or doubts its state


def without_a_vote(bench: Bench) -> None:
    bench["b"].configure("ac", "b")


def without_its_state(bench: Bench) -> None:
    bench["b"].elections.may_campaign = False


def about_to_end(bench: Bench) -> None:
    bench["b"].elections.retires = True


def in_doubt_of_its_state(bench: Bench) -> None:
    bench["b"].elections.hold(True)


@pytest.mark.parametrize("unfit", [without_a_vote, without_its_state, about_to_end, in_doubt_of_its_state])
def test_who_must_not_lead_neither_asks_nor_stands(bench: Bench, unfit: Callable[[Bench], None]) -> None:
    round = round_of_question(bench, "b")
    unfit(bench)
    say(bench, "c", "b", round)  # a majority would have it
    say(bench, "a", "b", round)
    bench["b"].deliver("a", {"type": "timeout_now", "term": 1})  # and the leader
    lose(bench, "b")

    assert questions(bench, "b", "c", 3 * TIMINGS.election_max_s) == 0
    assert bench["b"].term() == 1


def test_who_trusts_its_state_again_asks_at_once_where_nobody_leads(bench: Bench) -> None:
    bench["b"].elections.hold(True)
    lose(bench, "b")
    assert questions(bench, "b", "c", TIMINGS.election_max_s) == 0

    bench["b"].elections.hold(False)

    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) > 0


def test_who_may_stand_again_waits_a_whole_timeout_and_asks(bench: Bench) -> None:
    without_its_state(bench)
    bench["b"].deliver("a", {"type": "timeout_now", "term": 1})  # no longer true when it has its state
    bench.tick("b", after_s=2.0)
    bench["b"].elections.campaign_again()
    assert questions(bench, "b", "c", WELL_BEFORE_A_TIMEOUT_S) == 0
    assert questions(bench, "b", "c", TIMINGS.election_max_s) > 0
    assert bench["b"].term() == 1

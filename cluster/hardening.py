"""What makes pysyncobj 0.3.17 safe, as decisions apart from it. docs/consensus.md tells which defect
each answers.

Each hardening is on. Tests alone switch one off, to see the violation that it prevents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.journal import LogEntry
from cluster.wire import Message


@dataclass(frozen=True, slots=True)
class Hardening:
    """One boolean for each hardening that can be switched off. Numbers are those of docs/consensus.md."""

    fence_acknowledgements: bool = True  #: 1 an acknowledgement of another term counts for nothing
    skip_matching: bool = (
        True  #: 2 entries that match stay; only verified ones are acknowledged and committed
    )
    reset_to_commit: bool = True  #: 3 a reset asks for what lies behind max(commit, applied)
    name_higher_term: bool = True  #: 5 a stale leader is told so
    count_voters_once: bool = True  #: 6 a voter counts once a term
    ask_before_election: bool = True  #: 6 PreVote
    acknowledge_after_sync: bool = True  #: 7 acknowledgements and the own vote for an entry wait for the disk
    elect_early: bool = True  #: 8 a dropped connection to the leader is news
    check_restored_state: bool = True  #: 10 state and journal have to fit at start
    refuse_older_journal: bool = True  #: 14 a journal from before what this node has come to is refused
    refuse_older_peer: bool = True  #: 15 and a peer whose whole data is from before it was met last


ALL_ON = Hardening()


def skip_matching(entries: Sequence[LogEntry], message: Message) -> tuple[Message, int | None]:
    """An append as pysyncobj may apply it, and the index up to which it verifies the log (None: it does
    not fit).

    pysyncobj cuts its log behind prevLogIdx before it adds, so a delayed copy of an old append would cut
    acknowledged entries: matching entries are taken out, prevLogIdx moves up. And it takes commit_index up
    to its last entry, verified or not: it is clamped (Raft paper, figure 2, AppendEntries 3-5).
    """
    first, last = entries[0][1], entries[-1][1]
    previous, previous_term, news = message["prevLogIdx"], message["prevLogTerm"], message["entries"]
    if previous < first and news and news[-1][1] >= first:
        # What lies at or below the log's first entry is committed and applied here: it matches by definition.
        skipped = first - previous
        previous, previous_term, news = first, news[skipped - 1][2], news[skipped:]
    if not first <= previous <= last or entries[previous - first][2] != previous_term:
        return message, None
    verified = previous + len(news)
    same = 0
    while same < len(news) and news[same][1] <= last and entries[news[same][1] - first][2] == news[same][2]:
        same += 1
    if same == len(news) and last > verified:
        previous, previous_term, news = last, entries[-1][2], []
    elif same:
        previous, previous_term, news = previous + same, news[same - 1][2], news[same:]
    commit = min(message["commit_index"], verified)
    rewritten = dict(
        message, prevLogIdx=previous, prevLogTerm=previous_term, entries=news, commit_index=commit
    )
    return rewritten, verified


class Poll:
    """Answers to one question, a vote or a PreVote: each voter once, one round at a time."""

    def __init__(self) -> None:
        self.round = 0
        self._granted: set[str] = set()

    def open(self, round: int) -> None:
        self.round = round
        self._granted = set()

    def grant(self, voter: str) -> bool:
        """False when this voter was counted already."""
        if voter in self._granted:
            return False
        self._granted.add(voter)
        return True

    def has_majority(self, voters: int) -> bool:
        """With the asking node's own voice, of `voters` in all."""
        return 2 * (len(self._granted) + 1) > voters

"""A job that hands its work on, and those outside who complete it while things break.

    submit ── after     `after` is given what came with the word that counts

Its payload leaves its token in a file and goes on for a while, or ends at once; the harness, another process,
takes the token from there. Runs share PLACES, and keep theirs for as long as they await a word.

Rules:
1. Each word has a message of its own: by it the run tells which of them counted.
2. A word is sent, through any node, until it is answered. Two senders know of each token: one gives its word
   for most of them, once more later, the same or another; the other gives its own for some, at any time.
3. Some are left alone until their time is over, and get a word then; some get theirs from a person.
4. Of some it is told how far they are, once, with a text of its own.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chaos.client import Api

JOB = "handed-on"
SUBMIT, AFTER = "submit", "after"
SUCCEEDED, FAILED = "succeeded", "failed"
WELL, FAILS = "well", "fails"  #: how the process ends
EXIT_CODE = 7  #: of one that fails
TIMEOUT_S = 6
RETRY_S = 1
PLACE, PLACES = "places", 2
TOGETHER = 2  #: runs that are started at the same time
RESOURCES: Mapping[str, Mapping[str, Any]] = {PLACE: {"count": PLACES}}
STAYS_S = ("0", "1.5")  #: for as long the process goes on behind the token
ILL, LEFT_ALONE, BY_A_PERSON, RIVAL, TOLD = 0.15, 0.15, 0.15, 0.4, 0.6  #: shares
AT_ONCE, AGAIN, OTHERWISE, OLD_TOKEN = 0.5, 0.3, 0.4, 0.5
SOON_S = 3.0
AGAIN_S = 0.3
BEFORE_S = 2 * TIMEOUT_S  #: as long is a word sent
UNSEEN = ".new"
GIVEN = "$CRONCLAVE_OUTPUT_SUBMIT_WORD"

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""


def folder_of(evidence: Path) -> Path:
    """Where tokens are left, a file for each attempt: "RUN.NUMBER"."""
    return evidence.parent / "handed-on"


def body_of(body: Mapping[str, Any], payload: Payload, folder: Path) -> dict[str, Any]:
    """By what all jobs of the load have."""
    hand = (
        f'token={shlex.quote(str(folder))}/"$CRONCLAVE_RUN.$CRONCLAVE_ATTEMPT"\n'
        f'printf %s "$CRONCLAVE_CALLBACK_TOKEN" > "$token{UNSEEN}" && mv "$token{UNSEEN}" "$token"\n'
        'sleep "$CRONCLAVE_PARAM_STAYS"\n'
    )
    ill = f'[ "$CRONCLAVE_PARAM_HOW" = {WELL} ] || exit {EXIT_CODE}\n'
    tasks: dict[str, dict[str, Any]] = {
        SUBMIT: {
            "run": payload(work=hand, leave=ill), "async": {"timeout": f"{TIMEOUT_S}s"}, "outputs": ["word"],
            "locks": [PLACE], "retry": {"delays": [f"{RETRY_S}s"]},
        },
        AFTER: {"run": payload(given=GIVEN), "needs": [SUBMIT]},
    }  # fmt: skip
    words = {
        name: {"type": "string", "default": default} for name, default in (("how", WELL), ("stays", "0"))
    }
    return {**body, "tasks": tasks, "params": words}


def ask(api: Api) -> None:
    """More runs of it, at once."""
    for _ in range(TOGETHER):
        how = FAILS if api.dice.random() < ILL else WELL
        params = {"how": how, "stays": api.dice.choice(STAYS_S)}
        api.call(
            "hand-on", "POST", f"/v1/jobs/{JOB}/runs", told={"job": JOB, **params}, body={"params": params},
            read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip


class Token(NamedTuple):
    run: int
    number: int  #: of its attempt
    text: str


class Word(NamedTuple):
    at_s: float
    until_s: float  #: so long it is sent again
    token: Token
    outcome: str
    message: str
    by_a_person: bool = False


class Outsider:
    """Takes tokens as they come, and says what is due, until `over` and a while behind it."""

    def __init__(self, seed: int, folder: Path, over: threading.Event, *, rival: bool = False) -> None:
        self._seed, self._folder, self._over, self._rival = seed, folder, over, rival
        self._known: dict[tuple[int, int], Token] = {}
        self._due: list[Word] = []
        self._count = 0

    def __call__(self, api: Api) -> None:
        now_s = time.monotonic()
        for token in self._new():
            if not self._rival and api.dice.random() < TOLD:
                self._tell(api, token)
            self._due += self._words(api, token, now_s)
        due = [word for word in self._due if word.at_s <= now_s]
        self._due = [word for word in self._due if word.at_s > now_s]
        for word in due:
            if self._over.is_set():
                return
            if not self._say(api, word) and time.monotonic() < word.until_s:
                self._due.append(word._replace(at_s=time.monotonic() + AGAIN_S))

    def _new(self) -> list[Token]:
        found = []
        for file in sorted(self._folder.iterdir()):
            run, _, number = file.name.partition(".")
            if not (number.isascii() and number.isdigit()) or (int(run), int(number)) in self._known:
                continue
            token = self._known[int(run), int(number)] = Token(int(run), int(number), file.read_text())
            found.append(token)
        return found

    def _words(self, api: Api, token: Token, now_s: float) -> list[Word]:
        dice = api.dice
        if self._rival:
            at_s = now_s + dice.uniform(0, SOON_S)
            return [self._word(api, token, at_s)] if dice.random() < RIVAL else []
        words = []
        before = self._known.get((token.run, token.number - 1))
        if before is not None and dice.random() < OLD_TOKEN:
            words.append(self._word(api, before, now_s))
        if dice.random() < LEFT_ALONE:
            return [*words, self._word(api, token, now_s + TIMEOUT_S + SOON_S)]
        at_s = now_s + (0 if dice.random() < AT_ONCE else dice.uniform(0, SOON_S))
        first = self._word(api, token, at_s)._replace(by_a_person=dice.random() < BY_A_PERSON)
        words.append(first)
        if dice.random() < AGAIN and not first.by_a_person:
            words.append(first._replace(at_s=at_s + dice.uniform(0, SOON_S)))
        if dice.random() < OTHERWISE:
            words.append(self._word(api, token, at_s + dice.uniform(0, SOON_S)))
        return words

    def _word(self, api: Api, token: Token, at_s: float) -> Word:
        self._count += 1
        message = f"{'rival' if self._rival else 'word'}-{self._seed}-{self._count}"
        outcome = SUCCEEDED if api.dice.random() < 0.6 else FAILED
        return Word(at_s, at_s + BEFORE_S, token, outcome, message)

    def _say(self, api: Api, word: Word) -> bool:
        """Whether it was answered. A person's is of the newest attempt: the answer tells which that is."""
        outputs = {"outputs": {"word": word.message}} if word.outcome == SUCCEEDED else {}
        body = {"outcome": word.outcome, "message": word.message, **outputs}
        whose = None if word.by_a_person else word.token.number
        outcome, status, _ = api.call(
            "complete", "POST", f"/v1/runs/{word.token.run}/tasks/{SUBMIT}/complete",
            told={"run": word.token.run, "attempt": whose, "outcome": word.outcome, "message": word.message},
            body=body,
            headers=None if word.by_a_person else {"authorization": f"Bearer {word.token.text}"},
            read=lambda document, _: {"attempt": document["attempt"]},
        )  # fmt: skip
        return outcome == "ok" or (outcome == "fail" and status > 0)

    def _tell(self, api: Api, token: Token) -> None:
        self._count += 1
        text = f"far-{self._seed}-{self._count}"
        api.call(
            "progress", "POST", f"/v1/runs/{token.run}/tasks/{SUBMIT}/progress",
            told={"run": token.run, "attempt": token.number, "text": text},
            body={"percent": api.dice.randrange(101), "text": text},
            headers={"authorization": f"Bearer {token.text}"}, read=lambda document, _: {},
        )  # fmt: skip

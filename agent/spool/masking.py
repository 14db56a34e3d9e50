"""Secrets are taken out of output as it passes: `***` stands for each.

Rules of this file:

1. Whatever way the output is cut into chunks, what is left of it is the same. What may be the beginning of a
   secret is held back until it is known, and nothing else is: a tail shows all the rest at once.
2. Masked is each occurrence of each form, also where they overlap; what touches becomes one mask.
3. The forms: the value; each of its lines by itself, since tools indent and wrap; both as JSON and as URLs
   write them; and in base64, wherever it begins in a longer text. What encrypts, compresses, cuts or reverses
   a value gets it past every mask: this is against mistakes, not against whoever writes the job.
4. Memory is bounded by the longest form. An attempt without secrets has no mask at all.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"***"
LETTERS_MIN = 4  #: of a form: what is shorter is in half of all words
ENCODED_LETTERS_MIN = 8  #: of one in base64, which looks like any other


class Mask:
    """Of the output of one attempt."""

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values for form in _forms(value)}
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        self._held = b""  #: not given out: something may begin in it
        self._covered = -1  #: so many bytes of it stand in the mask that was given out last; -1: text was

    def masked(self, data: bytes) -> bytes:
        """What can be given out after this."""
        return self._given(self._held + data, at_end=False)

    def whole(self, data: bytes) -> bytes:
        """The same of a text by itself."""
        apart = Mask(())
        apart._forms = self._forms
        return apart.masked(data) + apart.rest()

    def rest(self) -> bytes:
        """What is held, at the end."""
        return self._given(self._held, at_end=True)

    def _given(self, text: bytes, *, at_end: bool) -> bytes:
        end = len(text) if at_end else self._settled(text)
        shown, covered = bytearray(), self._covered
        for first, last in self._found(text):
            if first >= end:
                break
            if first > covered:
                shown += text[max(covered, 0) : first] + MASK
            covered = max(covered, last)
        shown += text[max(covered, 0) : end]
        self._held, self._covered = text[end:], covered - end if covered >= end else -1
        return bytes(shown)

    def _found(self, text: bytes) -> list[tuple[int, int]]:
        """Every occurrence, in order."""
        found = []
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                found.append((at, at + len(form)))
                at = text.find(form, at + 1)
        return sorted(found)

    def _settled(self, text: bytes) -> int:
        """Where the first form may begin that the text does not hold to its end."""
        first = len(text)
        for form in self._forms:
            at = max(0, len(text) - len(form) + 1)
            while (at := text.find(form[:1], at, first)) >= 0:
                if form.startswith(text[at:]):
                    first = at
                    break
                at += 1
        return first


def _forms(value: str) -> Iterator[bytes]:
    """Everything that stands for the value in what a program says."""
    lines = [line.strip() for line in value.splitlines()]
    for text in (value.strip("\r\n"), value.strip(), *lines):
        if len(text) >= LETTERS_MIN:
            for written in (
                text,
                json.dumps(text)[1:-1],
                json.dumps(text, ensure_ascii=False)[1:-1],
                quote(text, safe=""),
                quote(text),
                quote_plus(text),
            ):
                yield written.encode("utf-8", "surrogateescape")
    for text in (value, value.strip()):
        yield from _in_base64(text.encode("utf-8", "surrogateescape"))


def _in_base64(value: bytes) -> Iterator[bytes]:
    """All of it by itself; and by where the value begins in three bytes, the letters that nothing around it
    changes."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value)
        whole = encoded if before == 0 else b""
        sure = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        for form in (whole, sure):
            if len(form) >= ENCODED_LETTERS_MIN:
                yield form
                yield form.replace(b"+", b"-").replace(b"/", b"_")

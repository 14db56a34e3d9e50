"""What may reach a terminal of text that jobs or strangers wrote.

A terminal obeys what it is shown: a line of output can move the cursor and write over what is there, set the
clipboard, hide a link behind a word, or have the terminal type an answer. Rules of this file:

1. Colours stay (SGR, `CSI … m`), unless NO_COLOR is set. Whoever leaves them on is reset at the end.
2. Every other control goes: CSI, OSC, DCS and the other strings, escapes of one letter, in 7 and in 8 bits
   (C1), BEL, backspace, NUL, DEL. A string ends at its terminator, and at the end of its line at the latest,
   so that one without an end hides no more than that.
3. Line ends and tabs stay. A carriage return, form feed or vertical tab becomes the end of a line: nothing is
   written over, and each step of a progress bar is a line.
4. What turns the order of letters around (bidirectional overrides, embeddings, isolates) goes: it shows
   another text than the one that is there.
5. A sequence that is cut anywhere, between two writes or within a letter, is the same sequence. No more is
   kept of it than a few letters.

What is left is shown as the text that it is. Bytes that are no UTF-8 are shown as U+FFFD.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from typing import Any, TextIO

PARAMETERS_MAX = 64  #: letters of a CSI sequence; what is longer is no sequence

_BIDI = "\u202a-\u202e\u2066-\u2069"
_CONTROLS = re.compile(f"[\0-\x08\x0b-\x1f\x7f-\x9f{_BIDI}]")
_CSI = rf"(?:\x1b\[|\x9b)[0-?]{{0,{PARAMETERS_MAX}}}[ -/]{{0,4}}"
_STRING = r"(?P<{}>\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c\r\n]*"
_SEQUENCE = re.compile(
    rf"(?P<csi>{_CSI}[@-~])"
    rf"|(?P<cut>(?:{_CSI}|{_STRING.format('opening')}(?P<escape>\x1b?)|\x1b[ -/]{{0,4}}|\r+)\Z)"
    rf"|{_STRING.format('whole')}(?:\x07|\x1b\\|\x9c)?"
    rf"|\x1b[ -/]{{1,4}}[0-~]|\x1b[0-~]"
    rf"|(?P<line>\r+\n?|[\x0b\x0c])"
    rf"|{_CONTROLS.pattern}"
)
_COLOUR = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]*)m")
_RESETS = frozenset({"", "0", "00"})


def colours_wanted() -> bool:
    """https://no-color.org: set and not empty means without."""
    return not os.environ.get("NO_COLOR")


class Sieve:
    """One stream of text on its way to a terminal."""

    def __init__(self, *, colours: bool = True) -> None:
        self._colours = colours
        self._held = ""
        self._coloured = False

    def feed(self, text: str) -> str:
        """What of it is shown now; a sequence without an end yet is held back."""
        if not self._held and not _CONTROLS.search(text):
            return text
        text, self._held = self._held + text, ""
        return _SEQUENCE.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        if match["line"] is not None:
            return "\n"
        if match["cut"] is not None:
            # Of a string nothing is shown, so nothing but its beginning is kept; of returns one.
            opening = match["opening"]
            held = match["cut"] if opening is None else opening + match["escape"]
            self._held = "\r" if held.startswith("\r") else held
            return ""
        colour = _COLOUR.fullmatch(match[0]) if match["csi"] is not None and self._colours else None
        if colour is None:
            return ""
        self._coloured = colour[1] not in _RESETS
        return f"\x1b[{colour[1]}m"

    def end(self) -> str:
        """What the end of the stream needs."""
        held, self._held = self._held, ""
        line = "\n" if held.startswith("\r") else ""
        reset = "\x1b[0m" if self._coloured else ""
        self._coloured = False
        return line + reset


class ByteSieve:
    """The same for bytes, such as a job's output."""

    def __init__(self, *, colours: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sieve = Sieve(colours=colours)

    def feed(self, data: bytes) -> bytes:
        return self._sieve.feed(self._decoder.decode(data)).encode()

    def end(self) -> bytes:
        return (self._sieve.feed(self._decoder.decode(b"", final=True)) + self._sieve.end()).encode()


def plain(text: str) -> str:
    """A text of someone else's without any control but line ends and tabs, also without colours."""
    sieve = Sieve(colours=False)
    return sieve.feed(text) + sieve.end()


def drives(text: str) -> bool:
    """Whether it holds anything but letters, line ends and tabs."""
    return _CONTROLS.search(text) is not None


def escaped_json(text: str) -> str:
    """The same JSON document, with escapes for what JSON lets stand and a terminal would obey."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class Guarded:
    """A terminal that gets only what the rules let through, whoever writes: click, rich, a traceback."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._sieve = Sieve(colours=colours_wanted())

    def write(self, text: str) -> int:
        self._stream.write(self._sieve.feed(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def unguarded(stream: TextIO) -> TextIO:
    """The terminal itself, for what moves the cursor on purpose, such as a frame or a bar. Whoever writes
    there makes each text of a stranger printable (cli.output.printable) first."""
    return stream._stream if isinstance(stream, Guarded) else stream


def guard() -> None:
    """From here on nothing that this process prints on a terminal drives it. Pipes and files get all."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream.isatty():
            setattr(sys, name, Guarded(stream))

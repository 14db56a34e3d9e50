"""What is wrong with a job, told all at once and with a way out."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Problem:
    pointer: str  #: JSON pointer (RFC 6901) into what was given; "": the whole
    detail: str
    hint: str = ""
    where: str = ""  #: file:line:column where it came from a file

    def __str__(self) -> str:
        place = " ".join(part for part in (self.where, self.pointer) if part)
        text = f"{place}: {self.detail}" if place else self.detail
        return f"{text} ({self.hint})" if self.hint else text

    def below(self, prefix: str) -> Problem:
        return replace(self, pointer=prefix + self.pointer)


class Refused(ValueError):
    """What a check of one value says of it, in words for whoever wrote it; the place is added outside. `at`:
    the place within the value, where the check is of a whole one."""

    def __init__(self, detail: str, hint: str = "", *, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.at = at


class JobError(ValueError):
    """Input that is no job (or no parameters of one). `problems` is never empty."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def pointer_of(*parts: str | int) -> str:
    """The JSON pointer of this path. A part too long to be any field's name is cut."""
    texts = (text if len(text) <= 200 else text[:199] + "…" for text in map(str, parts))
    return "".join("/" + text.replace("~", "~0").replace("/", "~1") for text in texts)


def shortened(value: object, characters_max: int = 60) -> str:
    """`value` as it may be shown in a message."""
    text = repr(value)
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def type_name(value: object) -> str:
    """The JSON word for the type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, dict) else type(value).__name__

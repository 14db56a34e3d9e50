"""A YAML or JSON file of another system, of which each field is read, passed over for a reason, or told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cli.importing.found import Source, UnreadableError
from cli.importing.gathering import Gathering, NotTaken, Place
from scheduler.model import JobError
from scheduler.model.documents import Document, load_yaml
from scheduler.model.problems import pointer_of

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Item:
    """An object of a file. What was never asked for is left, and `told` says so by line."""

    def __init__(self, document: Document, pointer: str, data: Mapping[str, Any]) -> None:
        self._document, self._pointer, self._data = document, pointer, data
        self._read: set[str] = set()
        self._below: dict[str, Item] = {}

    def place(self, key: str = "") -> Place:
        where = self._document.where(self._pointer + (pointer_of(key) if key else ""))
        return Place(self._document.filename, int(where.rsplit(":", 2)[1]))

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) not in (None, "", [], {})

    def get(self, key: str) -> Any:
        self._read.add(key)
        return self._data.get(key)

    def names(self) -> list[str]:
        return list(self._data)

    def passed(self, *keys: str) -> None:
        """These mean nothing for the job: counters, identities."""
        self._read.update(keys)

    def called(self, key: str) -> str:
        """Its name, to speak of it, whatever stands there."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def text(self, key: str, default: str = "") -> str:
        """Text, or a number as it was written. Raises NotTaken for anything else."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise NotTaken(f"{key}: expected text", self.place(key))
        return str(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.get(key)
        if value is None or value == "":
            return default
        if value in (True, False, 0, 1):
            return bool(value)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise NotTaken(f"{key}: expected true or false", self.place(key))

    def number(self, key: str) -> float | None:
        """None where there is none. Raises NotTaken for what is no number, such as ${option.x}."""
        value = self.get(key)
        if value is None or value == "":
            return None
        try:
            if not isinstance(value, bool):
                return float(value)
        except (TypeError, ValueError):
            pass
        raise NotTaken(f"{key}: expected a number, not {str(value)[:40]!r}", self.place(key))

    def texts(self, key: str) -> list[str]:
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
            raise NotTaken(f"{key}: expected a list of texts", self.place(key))
        return [str(one) for one in value]

    def numbers(self, key: str) -> list[int]:
        """Whole numbers, also as text."""
        found = self.texts(key)
        if odd := next((text for text in found if not re.fullmatch("-?[0-9]{1,9}", text)), None):
            raise NotTaken(f"{key}: expected whole numbers, not {odd[:40]!r}", self.place(key))
        return [int(text) for text in found]

    def item(self, key: str) -> Item:
        """The object at `key`, an empty one where there is none."""
        value = self.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise NotTaken(f"{key}: expected an object", self.place(key))
        return self._child(pointer_of(key), value or {})

    def items(self, key: str) -> list[Item]:
        """The objects of the list at `key`."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise NotTaken(f"{key}: expected a list of objects", self.place(key))
        return [self._child(f"{pointer_of(key)}/{index}", one) for index, one in enumerate(value)]

    def named_items(self, key: str) -> dict[str, Item]:
        """The objects of the object at `key`, by their names."""
        there = self.item(key)
        return {name: there.item(name) for name in there._data}

    def _child(self, below: str, data: Mapping[str, Any]) -> Item:
        return self._below.setdefault(below, Item(self._document, self._pointer + below, data))

    def told(self, gathering: Gathering) -> None:
        """Say by line what of it, and below, is not taken over."""
        for key, value in self._data.items():
            if key not in self._read and value not in (None, "", [], {}, False):
                gathering.note(self.place(key), f"{key}: {_short(value)}", f"{key} is not taken over")
        for child in self._below.values():
            child.told(gathering)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_items(source: Source) -> Iterator[Item]:
    """The objects of a file: its documents, or those of its list. Raises UnreadableError."""
    try:
        documents = load_yaml(source.text, source.name)
    except JobError as error:
        problem = error.problems[0]
        raise UnreadableError(problem.where or source.name, problem.detail, problem.hint) from None
    for document in documents:
        if not isinstance(document.data, Mapping):
            where = document.where("").rpartition(":")[0]
            raise UnreadableError(where, "expected an object with fields")
        yield Item(document, "", document.data)

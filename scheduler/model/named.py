"""How one object names another: `name` in its own namespace, `other/name` in another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """What something refers to, and where it says so."""

    kind: str
    namespace: str
    name: str
    pointer: str  #: into what was given
    needs: str = "read"  #: what whoever names it must be allowed to in its namespace, if that is another one


def resolved(text: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of what is meant, said in this namespace."""
    other, slash, name = text.partition("/")
    return (other, name) if slash else (namespace, text)


def each_once(targets: Sequence[Target]) -> tuple[tuple[str, str, str], ...]:
    """As the log says it: without the places, and none twice."""
    return tuple(dict.fromkeys((target.kind, target.namespace, target.name) for target in targets))

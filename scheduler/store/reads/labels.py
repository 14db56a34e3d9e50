"""Labels of jobs, in a query."""

from __future__ import annotations

from collections.abc import Sequence


def label_conditions(labels: Sequence[tuple[str, str | None]]) -> tuple[str, list[object]]:
    """Of the jobs `j`: that all of these hold, and what the query is given. Without a value: it is there."""
    where, values = "", list[object]()
    for name, value in labels:
        path = '$."' + name.replace('"', '\\"') + '"'
        where += " AND json_extract(j.labels, ?) " + ("IS NOT NULL" if value is None else "= ?")
        values += [path] if value is None else [path, value]
    return where, values

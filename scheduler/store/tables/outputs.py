"""What tasks gave to those after them: of each that gave any one text."""

from __future__ import annotations

from scheduler.store.connection import Store


def put(store: Store, task: int, text: bytes) -> None:
    store.write("INSERT OR REPLACE INTO outputs (task, text) VALUES (?, ?)", (task, text))


def of_task(store: Store, task: int) -> bytes | None:
    text = store.value("SELECT text FROM outputs WHERE task = ?", (task,))
    return None if text is None else bytes(text)


def of_ids(store: Store, tasks: range, bytes_max: int) -> dict[int, bytes]:
    """Of the tasks with these ids, those that gave any, up to the first with which these are more bytes."""
    sizes = store.rows(
        "SELECT task, length(text) FROM outputs WHERE task BETWEEN ? AND ? ORDER BY task",
        (tasks.start, tasks.stop - 1),
    )
    last, size = tasks.start - 1, 0
    for task, length in sizes:
        last, size = task, size + length
        if size > bytes_max:
            break
    rows = store.rows(
        "SELECT task, text FROM outputs WHERE task BETWEEN ? AND ? ORDER BY task", (tasks.start, last)
    )
    return {task: bytes(text) for task, text in rows}


def purge(store: Store, run: int, limit: int) -> None:
    """Drop those of the first tasks of a run, as many as that, before these go."""
    if store.value("SELECT 1 FROM outputs LIMIT 1") is not None:  # hardly any run has some
        store.write(
            "DELETE FROM outputs WHERE task IN (SELECT id FROM tasks WHERE run = ? ORDER BY id LIMIT ?)",
            (run, limit),
        )

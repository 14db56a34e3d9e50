"""What a task's `when` comes to, by what its run knows. Reads, and writes nothing.

What it asks of the run never changes, and a task that has ended stays as it is: so it comes to the same
whenever it is judged, once all of them have ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from scheduler.model.expressions import Judged, Value, judge, read_as, truth
from scheduler.model.outputs import outputs_of
from scheduler.model.quantities import format_instant
from scheduler.model.when import OUTPUT, PARAMS, PLAN_DATE, STATES, TICK, VARS, WARNED, asked_of, read_when
from scheduler.store.connection import Store
from scheduler.store.tables import outputs, run_vars
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.ticks import plan_days
from scheduler.words.lifecycle import TASK_ENDS

_DATE, _INSTANT = date.min, datetime.min
_TIMES: dict[str, Value] = {"date": _DATE, "datetime": _INSTANT, "duration": timedelta(0)}
"""By the type of a parameter, what it is read as."""


class Condition(NamedTuple):
    """Of a task in this run."""

    store: Store
    run: Run
    text: str
    times: tuple[tuple[str, str], ...] = ()  #: parameters that are times, with their type

    def holds(self) -> bool:
        return truth(self.judged().value) is True

    def judged(self) -> Judged:
        known = _Known(self.store, self.run, {name: _TIMES[kind] for name, kind in self.times})
        return judge(read_when(self.text).tree, known.value_of)


class _Known:
    """What is looked up is looked up once."""

    def __init__(self, store: Store, run: Run, times: Mapping[str, Value]) -> None:
        self._times = times
        self._store = store
        self._run = run
        self._tasks: dict[str, Task | None] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._of_tasks: dict[int, dict[str, Any]] = {}

    def value_of(self, path: str) -> Value:
        asked, run = asked_of(path), self._run
        if asked.of == PLAN_DATE:
            return read_as(_DATE, plan_days.text_of(run.plan_day))
        if asked.of == TICK:
            return None if run.tick_ms is None else read_as(_INSTANT, format_instant(run.tick_ms))
        if asked.of in (PARAMS, VARS):
            value: Value = self._given(asked.of).get(asked.name)
            is_time = asked.of == PARAMS and isinstance(value, str) and asked.name in self._times
            return read_as(self._times[asked.name], str(value)) if is_time else value
        task = self._task(asked.name)
        if task is None:
            return None
        if asked.of == OUTPUT:
            return self._outputs(task.id).get(asked.what)
        if asked.what == WARNED:
            return task.warned == 1
        return task.exit_code if asked.what == "exit_code" else task.state in STATES[asked.what]

    def _outputs(self, task: int) -> dict[str, Any]:
        found = self._of_tasks.get(task)
        if found is None:
            text = outputs.of_task(self._store, task)
            found = self._of_tasks[task] = {} if text is None else dict(outputs_of(text))
        return found

    def _given(self, of: str) -> dict[str, Any]:
        values = self._values.get(of)
        if values is None:
            values = self._values[of] = json.loads(self._run.params) if of == PARAMS else self._vars()
        return values

    def _vars(self) -> dict[str, Any]:
        """Of those that the run began with; of equal names the later one counts."""
        specs = run_vars.specs_of(self._store, self._run.id)
        return {name: value for spec in specs for name, value in _values_of(spec).items()}

    def _task(self, name: str) -> Task | None:
        """As it ended; None: it has not."""
        if name not in self._tasks:
            task = task_rows.newest(self._store, self._run.id, name)
            self._tasks[name] = task if task is not None and task.state in TASK_ENDS else None
        return self._tasks[name]


@lru_cache(maxsize=64)
def _values_of(spec: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(spec)["values"]
    return values

"""A reference for what becomes of a graph: a recursive function of what each task's work comes to. Nothing of
it is shared with the machine."""

from __future__ import annotations

from typing import Any

Tree = tuple[Any, ...]


class Graph:
    """`works`: of each task whether its work, once begun, succeeds."""

    def __init__(
        self, tasks: dict[str, dict[str, Any]], works: dict[str, bool], params: dict[str, Any]
    ) -> None:
        self.tasks, self.works, self.params = tasks, works, params
        self._states: dict[str, str] = {}

    def state(self, name: str) -> str:
        if name not in self._states:
            self._states[name] = self._ends(name)
        return self._states[name]

    def run(self) -> str:
        failed = [name for name in self.tasks if self.state(name) == "failed"]
        return "failed" if any(not self.tasks[name].get("allow_failure") for name in failed) else "succeeded"

    def _ends(self, name: str) -> str:
        task = self.tasks[name]
        if not self._rule(task) or ("when" in task and self._truth(task["when"]) != 1):
            return "skipped"
        return "succeeded" if self.works[name] else "failed"

    def _rule(self, task: dict[str, Any]) -> bool:
        needs, rule = task.get("needs", []), task.get("rule", "all_success")
        ends = [self.state(need) for need in needs]
        may_fail = [self.tasks[need].get("allow_failure", False) for need in needs]
        both = list(zip(ends, may_fail, strict=True))
        good = [end == "succeeded" or (end == "failed" and may) for end, may in both]
        if isinstance(rule, dict):
            return bool(ends.count("succeeded") >= rule["n_of"])
        met: dict[str, bool] = {
            "all_success": all(good),
            "none_failed": all(well or end == "skipped" for well, end in zip(good, ends, strict=True)),
            "all_done": True,
            "any_failed": "failed" in ends,
            "any_success": "succeeded" in ends,
        }
        return met[rule]

    def _truth(self, tree: Tree) -> float:
        """0 false, 1 true, a half unknown."""
        match tree:
            case ("not", part):
                return 1 - self._truth(part)
            case ("and", *parts):
                return min(self._truth(part) for part in parts)
            case ("or", *parts):
                return max(self._truth(part) for part in parts)
            case ("param", name, value):
                return 0.5 if name not in self.params else float(self.params[name] == value)
            case ("code", name, code):
                state = self.state(name)
                return 0.5 if state == "skipped" else float((0 if state == "succeeded" else 1) == code)
            case ("is", name, "ended"):
                return float(self.state(name) != "")
            case ("is", name, state):
                return float(self.state(name) == state)
        raise AssertionError(tree)


def written(tree: Tree) -> str:
    match tree:
        case ("not", part):
            return f"not ({written(part)})"
        case ("and" | "or" as word, *parts):
            return f" {word} ".join(f"({written(part)})" for part in parts)
        case ("param", name, value):
            return f"params.{name} == '{value}'"
        case ("code", name, code):
            return f"{name}.exit_code == {code}"
        case ("is", name, state):
            return f"{name}.{state}"
    raise AssertionError(tree)

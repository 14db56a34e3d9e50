"""A reference for what becomes of a graph, and of the groups in it: a recursive function of what each task's
work comes to. Nothing of it is shared with the machine."""

from __future__ import annotations

import math
from typing import Any

Tree = tuple[Any, ...]
Work = bool | None
"""Whether it succeeds; None: it is lost with its agent."""
ENDS = {True: "succeeded", False: "failed", None: "lost"}
BAD = ("failed", "lost")


class Graph:
    """`works`: of each task what its work, once begun, comes to, round by round. `groups`: by name, whose
    tasks are not among these, with `inside` and `catch`. `outer`: the graph around this one."""

    def __init__(
        self,
        tasks: dict[str, dict[str, Any]],
        works: dict[str, list[Work]],
        params: dict[str, Any],
        groups: dict[str, dict[str, Any]] | None = None,
        outer: Graph | None = None,
        round: int = 0,
    ) -> None:
        self.tasks, self.works, self.params = {**tasks, **(groups or {})}, works, params
        self.groups, self.outer, self.round = groups or {}, outer, round
        self.inside: dict[str, str] = {}  #: states of what is in its groups, in the newest round
        self._states: dict[str, str] = {}

    def state(self, name: str) -> str:
        if name not in self.tasks and self.outer is not None:
            return self.outer.state(name)
        if name not in self._states:
            self._states[name] = self._ends(name)
        return self._states[name]

    def states(self) -> dict[str, str]:
        return {**{name: self.state(name) for name in self.tasks}, **self.inside}

    def run(self) -> str:
        bad = [self.state(name) for name in self.tasks if not self.tasks[name].get("allow_failure")]
        return next((end for end in BAD if end in bad), "succeeded")

    def _ends(self, name: str) -> str:
        task = self.tasks[name]
        if not self._rule(task) or ("when" in task and self._truth(task["when"]) != 1):
            self.inside.update(dict.fromkeys((*task.get("inside", ()), *task.get("catch", ())), "skipped"))
            return "skipped"
        if name in self.groups:
            return self._group(task, self.round, task.get("retries", 0), task.get("rounds", 1))
        if "members" in task:
            works = [member_works(self.works[name], self.round, each) for each in range(task["members"])]
            good = works.count(True)
            return "succeeded" if good >= joined(task) else ENDS[how_bad(self.works[name], self.round)]
        return ENDS[self.works[name][self.round]]

    def _group(self, group: dict[str, Any], round: int, retries: int, rounds: int) -> str:
        tasks = Graph(group["inside"], self.works, self.params, outer=self, round=round)
        self.inside.update(tasks.states() | dict.fromkeys(group["catch"], "skipped"))
        ends = tasks.run()
        if ends in BAD and retries and "lost" not in tasks.states().values():
            return self._group(group, round + 1, retries - 1, rounds)
        if ends in BAD:
            catch = Graph(group["catch"], self.works, self.params, outer=tasks, round=round)
            self.inside.update(catch.states())
            caught = catch.run() == "succeeded" and "succeeded" in catch.states().values()
            ends = "succeeded" if caught else ends
        if ends in BAD or "until" not in group or tasks._truth(group["until"]) == 1:
            return ends
        return "failed" if rounds == 1 else self._group(group, round + 1, group.get("retries", 0), rounds - 1)

    def _rule(self, task: dict[str, Any]) -> bool:
        needs, rule = task.get("needs", []), task.get("rule", "all_success")
        ends = [self.state(need) for need in needs]
        may_fail = [self.tasks[need].get("allow_failure", False) for need in needs]
        both = list(zip(ends, may_fail, strict=True))
        good = [end == "succeeded" or (end in BAD and may) for end, may in both]
        if isinstance(rule, dict):
            return bool(ends.count("succeeded") >= rule["n_of"])
        met: dict[str, bool] = {
            "all_success": all(good),
            "none_failed": all(well or end == "skipped" for well, end in zip(good, ends, strict=True)),
            "all_done": True,
            "any_failed": any(end in BAD for end in ends),
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
                codes = {"succeeded": 0, "failed": 1}
                return 0.5 if (state := self.state(name)) not in codes else float(codes[state] == code)
            case ("is", name, "ended"):
                return float(self.state(name) != "")
            case ("is", name, "failed"):
                return float(self.state(name) in BAD)
            case ("is", name, state):
                return float(self.state(name) == state)
        raise AssertionError(tree)


def member_works(works: list[Work], round: int, member: int) -> Work:
    """What the work of this member comes to. In one round all that end badly end alike: a whole ends as the
    worst of its members when its join can be met no more, and which have ended by then is chance."""
    return works[(round + 5 * member) % len(works)] or how_bad(works, round)


def how_bad(works: list[Work], round: int) -> Work:
    bad = [work for work in works if not work]
    return bad[round % len(bad)] if bad else False


def joined(task: dict[str, Any]) -> int:
    """How many members are to succeed."""
    join, members = task["join"], int(task["members"])
    if isinstance(join, str) and join.endswith("%"):
        return math.ceil(members * int(join[:-1]) / 100)
    return {"all": members, "any": 1}.get(str(join), 0) or int(join)


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

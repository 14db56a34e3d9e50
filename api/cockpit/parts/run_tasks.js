// What a run's page shows of its tasks: which one first, and when each was at work.

export const FAILED = ["failed", "timed_out", "lost", "expired", "cancelled"];
const FOLLOWS = ["expired", "cancelled"]; // mostly since another failed

export const groupsOf = (run) => new Set(Object.values(run.tasks).map((task) => task.group).filter(Boolean));

// The task that is looked for most: in a run that did not end well the first that failed, which is the cause; one that runs, or the last. A group has no output: one inside has.
export function firstOf(run) {
  const groups = groupsOf(run), all = Object.entries(run.tasks), own = all.filter(([name]) => !groups.has(name));
  const order = ([, task]) => [FOLLOWS.includes(task.state) ? 1 : 0, Date.parse(task.finished || 0)];
  const [first] = run.state === "succeeded" ? [] : own.filter(([, task]) => FAILED.includes(task.state)).sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1]);
  const goesOn = ([, task]) => task.attempts.some((attempt) => !attempt.finished) || ((task.run || task.members || task.approval) && !task.finished);
  return (first || own.find(goesOn) || own.findLast(([, task]) => task.attempts.length || task.run || task.members) || own.at(-1) || [null])[0];
}

// Its attempts; of work that has none, as a run of another job or a sleep has not, the time that it took.
export function spansOf(task) {
  if (task.attempts.length || !task.started || task.taken_from) return task.attempts;
  return [{ id: "work", run: task.run, state: task.state === "active" ? "running" : task.state, due: task.started, started: task.started, finished: task.finished }];
}

// Rounds and attempts are counted from one, as people do; the API counts rounds from none.
export const roundOf = (attempt) => attempt.round + 1;

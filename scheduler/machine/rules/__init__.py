"""What follows from what: verdicts, needs, selectors, graphs. Nothing here writes.

The promise: the same rows give the same verdict, and asking changes nothing.

Reading order: `verdicts` (what an end means), `needs` (when a task may start), `graphs` and `selectors`
(what is derived from a job's revision), `walks` (what is done to all tasks of a run), `spent` and
`tick_limits` (may this job be put?).
"""

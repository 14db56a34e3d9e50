"""The `cronclave` command: a client of the HTTP API, and the starter of processes.

Promise: `cronclave --help` and every client command start in under 150 ms, so nothing heavy is imported
before it is used: commands load when they are called (lazy.py), rich when a table is drawn on a terminal
(output.py), the model and the ticks when a job is parsed or a schedule computed. The server is never
imported; nodes and agents start as `python -m node` and `python -m agent`. What a command ends with is in
exits.py.

Reading order: main.py (the list of commands), lazy.py, exits.py, target.py (which cluster), contexts.py
(clusters with names), client.py (HTTP, and what is tried again), output.py, completing.py (names for the
shell), then a file a noun: job.py, run.py, agents.py, cluster.py, backup.py, ledger.py, ticks.py, imports.py
with importing/ (jobs of other systems; exports/ writes ours for them), events.py; dev/ is `cronclave dev`,
doctor/ `cronclave doctor`, top/ `cronclave top`.
"""

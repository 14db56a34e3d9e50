"""Golden logs: the bytes of real log entries, and what every later version must make of them.

`format-N/*.log` were recorded by the version that brought format N: entries as consensus gives them to the
machine, in msgpack. `format-N/*.json` beside them is what came of it: the running hash of the state, the head
of the ledger, each command's outcome, and the tables.

Once a version with format N is released, its logs are never recorded anew: a log that replays to anything
else means that nodes of two versions would differ, and what was changed has to branch on `state.format`.
Before that, `python -m tests.golden.record --again` writes them anew. A new format gets a folder of its own.

Reading order: `stories` (what is recorded), `log` (the files), `record`, then the test.
"""

"""The state of one node: an embedded SQLite database and its queries, a file per noun.

The promise: one writer (the machine) and any number of readers, each with a consistent snapshot; every query
that the machine decides by has a total order; nothing scans a table that grows.

Reading order: `schema` (what is stored), `connection` (the only file that imports sqlite3), `standstill`
(its file copied), `kept` (rows in the memory of who writes), `state` (the one row every transaction writes),
then the nouns: `tables` (rows, all that writes them, and what the machine and the planner decide by) and
`reads` (what people, agents and proofs look at). Beside them, `soundness` and `row_digests` look at the whole
file.
"""

"""The rows that the machine decides by: the file of a noun has its rows, all that writes them, and what the
machine and the planner ask of them.

Rules:

1. Each table is written in one file, and no file knows another: what a command does to two tables is said in
   scheduler/machine.
2. A row is its table's columns in their order, and the only place beside `schema` that names them.
3. Every query has a total ORDER BY.
4. A row that is read or changed by its key, again and again, goes by `Store.kept` and is written once an
   entry. What changes it otherwise goes by `Store.write`, which drops it there.
"""

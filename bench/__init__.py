"""Benchmarks that anyone can run: `python -m bench`, which prints one Markdown table.

Promise: a black box. Every benchmark starts its own cluster of real processes (cluster.py), talks HTTP
to it (client.py for control, traffic.py for load), takes a duration, and reports rows of
"what, target, measured, met" (rows.py). Nothing of the product is imported; what was due is plain
arithmetic (evidence.py); when something started is what the payload or the run's own record says.

Reading order: rows, evidence, cluster, client, traffic; then a benchmark each: failover, load, submit,
bulk, manual, workflows, members, inventory, cold_start, restart; __main__ ties them together. Two beside each
other: figures, own (what is measured of a build of ours), dkron (of a peer), compare.
"""

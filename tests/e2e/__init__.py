"""Acceptance: what the product promises, shown from outside on real clusters of processes.

Promise: nothing of the product is imported here. Clusters are started, asked over HTTP, harmed by signals;
what ran is what payloads wrote into files; what was due is plain arithmetic (bench.evidence).
docs/guarantees.md names the test of each promise.

Reading order: cluster.py (knobs, shared questions), test_evidence.py (the oracle catches what it must),
then a promise a file: dev, leaders, power, agents, members, input.

The sizes here suit CI. The environment gives the full forms: KILLS, STOPS, JOBS, ROUNDS, COLD_STARTS.
"""

"""`cronclave doctor`: what is wrong here, and with the cluster, each with what to do about it.

Promise: nothing is changed, nothing is decided, and each question has its limit of time. What cannot be asked
is told as unknown and stops no other question: without a cluster in reach the machine is looked at as well.

Reading order: findings.py (what a finding is), machine.py (interpreter, clock, zones, files), disk.py (room
and syncs), configured.py (a node's or an agent's own file: ports, certificates, rights), reached.py (the
cluster), command.py.
"""

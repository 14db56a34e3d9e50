"""`cronclave dev`: a real cluster on one machine, from one command.

Promise: nodes and agents are the very programs of production, each a process tree with its own directory
(DIR/node-1: node.toml, data, log). DIR/dev.json is kept true while it runs. When `dev` ends in any way, so
does all that it started: on Ctrl-C and SIGTERM it is the subreaper and waits for the last descendant; on kill
-9 the kernel's parent-death signal ends nodes and agents, and the spoolers watch for the death themselves.

Reading order: layout.py (names, ports, files), pools.py (agents), children.py (start, restart, end), facts.py
(dev.json), demonstration.py and clocks.py (what may be broken in the cockpit), supervisor.py (the loop),
opening.py (ready? sample jobs, what is printed), samples.py, command.py.
"""

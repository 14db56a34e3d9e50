"""What programs are told, before they are anything: a floor beside `durable`.

Promise: what a setting means and where its value comes from is said once, for nodes, agents and the command
line alike. The standard library alone; nothing of ours is known here, and nothing acts but
`tell`, which prints.

Reading order: addresses.py (is this host our own?), origins.py (which line of which file said so?).
"""

"""`cronclave top`: the cluster on a terminal, live.

Promise: it shows what the nodes know, and no less when there is no leader or the node that is asked dies: it
says so then, and goes on with what it knew. No colour says anything that no word says; it fits a phone's
width; the terminal is left as it was found, however it ends. Nothing is asked that is not shown: three reads
of bounded cost every few seconds.

rich draws it, which tables use already (output.py): textual would be a dependency of its own size for keys
and panes that a table and four keys do not need. It is loaded by this command alone.

Reading order: looks.py (what is asked, in a thread), frame.py (a look as lines), keys.py, screen.py,
command.py.
"""

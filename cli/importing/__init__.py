"""Jobs of other systems, as jobs of ours. Pure but for sending: files in, job mappings in the public shape
and remarks by line out.

Promise: what is taken fires at the instants at which it fired there (whose day numbers, whose way to join the
day fields, whose rule for the nights in which clocks change), and passes the model's own check; whatever of a
file is not taken over is told with its line, and why. A job is taken whole or not at all.

Reading order: found (what an import gives), gathering (how a format says what it found), items (a YAML or
JSON file, of which each field is read or told), elements (the same of XML), schedules/ (what several systems
have in common), formats/ (a file a format, and the list of them), sending (into a cluster that has some).
"""

"""How the world outside is told something: a floor, beside `durable` and `settings`.

Promise: what goes over the wire to a mail server is made here and nowhere else, for the effects of nodes
and for whoever watches a cluster from outside of it. What is told, to whom and when, is not known here;
nothing is kept between two tries.

Reading order: unsent.py (what every way raises), mail.py.
"""

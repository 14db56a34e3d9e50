"""This version, whose core takes the items of a staged apply one by one: each phase of some hundred items
lasts long enough to lose a leader in it.

Apply has to be the same on every node, so all of a cluster are started so.
"""

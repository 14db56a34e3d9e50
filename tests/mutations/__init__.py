"""Known bugs, put into the product by tests alone, and the scenario of the harness that catches each.

`python -m tests.mutations` (`make mutations`) runs them all, or the named ones, and prints a table. A bug is
a change of source text (mutants.py) that a child process makes while it imports the module
(site/sitecustomize.py): files stay as they are. tests/chaos/test_mutants.py holds that each text still fits.
"""

"""What other systems send to hooks: its signature is checked, its body becomes parameters of runs.

Promise: whoever sends nothing that is signed as the hook asks learns nothing, not whether there is such a
hook either. What is signed is told all: what is wrong with the body, what came of it.

Reading order: signatures.py (is it signed? pure), receiving.py (a delivery, from the request to its answer).
"""

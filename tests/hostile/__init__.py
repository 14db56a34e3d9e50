"""Attacks on a running cluster: whatever is sent to it, nothing ends, nobody is deaf, nothing is elected.

Reading order: siege.py (what must hold around every attack), then a module for each kind of attacker.
"""

"""Tests of cluster/: the same promises on real files, real sockets and in the simulation."""

"""Jobs of several processes: who is which rank, their variables, their start on all nodes or none, their ends.

The agent of each node starts one launcher in place of the script. Launchers of a run agree over a port inside the
run's own network, with a key made from the run's token; the first one is the head. `layout` is pure, `rank` wraps one
process of the user's, `mpi` and `rsh` have Open MPI start its daemons through the launchers, so that no image needs sshd.
"""

"""What people and jobs do: one verb each. Pages, the API and the worker call these; permissions are checked by them.

An action takes plain values, checks them whole before it writes anything, and writes in one transaction.
"""

"""Sweeps to be trusted: jobs in processes of their own, skipped when done, gone on with when interrupted.

`supervision` is what the user sees, `worker` does one job of the launcher, `process` runs it, `underway`
watches over that, `folder` is how all of them know of each other.
"""

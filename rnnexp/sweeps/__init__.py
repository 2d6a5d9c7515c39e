"""Sweeps: each job runs in its own process, is skipped if it has finished, and resumes if it was interrupted.

`supervision` runs the whole sweep in the process that the user sees. `launcher` starts a process for each job
of a local sweep, `job` is what that process runs, and `folder` is how the processes communicate.
"""

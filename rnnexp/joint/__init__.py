"""Several seeds of one command, trained in one graph: `replicas=R`.

`job` is what the user sees, `trial` trains, `conduct` observes, `ending` prints, `resume` finds what was
begun before, `parent_run` holds the runs together in MLflow.
"""

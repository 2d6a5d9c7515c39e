"""One run, from a configuration to closed records.

`composition` composes the configuration and `build` constructs a `Job` from it. `resume` decides what earlier
runs mean for the job, `run` runs it, `callbacks` trains, and `finish` judges the result.
"""

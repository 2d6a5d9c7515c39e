"""The keys of the configuration, by which its values are checked and the records of runs are read."""

SCALARS = (
    "activation",
    "seq_len",
    "units",
    "batch_size",
    "steps",
    "stop",
    "seed",
    "replicas",
    "dtype",
    "device",
    "jit",
    "shards",
    "truncate",
    "segment",
    "steps_per_execution",
    "record.every",
    "probe.every",
    "probe.batch_size",
    "probe.bootstrap",
    "validation.every",
    "validation.sequences",
    "verdict.decades",
    "checkpoint.every",
    "figures.format",
    "tracking.kind",
    "tracking.every",
    "tracking.model",
    "tracking.uri",
    "tracking.experiment",
    "launcher.workers",
    "launcher.address",
    "launcher.gpus",
    "plugins",
    "resume",
    "dry_run",
    "name",
    "output_dir",
)
"""The keys that hold one value, in the order in which a table shows them."""

GROUPS = (
    *("task", "cell", "init", "clip", "optimizer", "regularizer", "phase"),
    *("tracking", "launcher", "experiment"),
)
"""The folders of the menu: keys whose values are choices."""

CONSTRUCTED = ("task", "cell", "init", "clip", "optimizer", "regularizer", "phase")
"""The groups whose fields are checked by the constructor that they name."""

COLLECTIONS = ("probes",)
"""Keys that hold any number of constructed parts, each under a name of its own."""

UNSCIENTIFIC = frozenset(
    {
        *("checkpoint", "dry_run", "figures", "hydra", "launcher", "name"),
        *("output_dir", "plugins", "replicas", "resume", "tracking"),
    }
)
"""Top-level keys that cannot change a number: where a run goes, how it is started, resumed, drawn.

A class of a plugin is named where it is used; that a plugin may be imported changes nothing by itself.

`device`, `dtype` and `jit` are not among them: each changes the last digits, and the time.
"""

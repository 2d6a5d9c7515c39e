"""One tidy table over runs, and one over groups of seeds. Reads stores and folders; writes tables only."""

from rnnexp.analysis.columns import varying
from rnnexp.analysis.groups import group_runs
from rnnexp.analysis.intervals import Interval, student_mean, wilson
from rnnexp.analysis.runs import load_runs
from rnnexp.analysis.tables import save_table

__all__ = ["Interval", "group_runs", "load_runs", "save_table", "student_mean", "varying", "wilson"]

"""`python -m rnnexp.report`: the report of a sweep."""

import sys

from rnnexp.report.command import main

sys.exit(main())

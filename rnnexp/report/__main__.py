"""`python -m rnnexp.report`: the report of a sweep."""

import sys

from rnnexp.report.command import main
from rnnexp.runtime import output

output.protect()
sys.exit(main())

"""`python -m verimath` is the command `verimath`."""

import sys

from verimath.cli import main

sys.exit(main())

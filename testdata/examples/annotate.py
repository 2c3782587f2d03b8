"""A log with what is true of the reports in it."""
import sys

import fixtrace

session = fixtrace.Session("testdata/fixtures/demo-5.10.elf")
with open("testdata/oops/5.10-copy-user.txt") as log:
    sys.stdout.write(session.annotate(log.read()))

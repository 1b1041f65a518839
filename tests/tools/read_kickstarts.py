"""Reads each kickstart that is named in the arguments as VERSION=PATH, in one process; prints what fails."""

import sys

from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion

failed = 0
for argument in sys.argv[1:]:
    version, path = argument.split("=", 1)
    try:
        KickstartParser(makeVersion(version)).readKickstart(path)
    except Exception as fault:  # pykickstart raises many kinds, all of which mean that the file is wrong
        failed += 1
        print(f"{path} as {version}: {fault}")
print(f"{len(sys.argv) - 1} kickstarts, {failed} wrong")
sys.exit(1 if failed else 0)

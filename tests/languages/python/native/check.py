"""The same check as a process: its configuration is the argument."""

import json
import sys

config = json.loads(sys.argv[1])
waiting, limit = config["waiting"], config["limit"]
print(f"OK - {waiting:g} of at most {limit:g} jobs wait | waiting={waiting:g}")

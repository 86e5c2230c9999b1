"""Health check of a container: exit 0 if an address answers with success, 1 if not.

    probe.py URL
    probe.py URL --says LINE
    probe.py URL --loop-within SECONDS --user NAME --password-file FILE

The second form wants a line in the answer: a process that serves metrics does so before the bus has answered it, and
says ``quantbus_bus_up 1.0`` once it has. The third is for Freqtrade: its ``/api/v1/health`` tells when the trading loop
last turned, while a stuck loop still answers. Standard library only, so that every image can run it.
"""

import argparse
import base64
import json
import sys
import time
import urllib.request
from pathlib import Path

TIMEOUT_SECONDS = 4.0


def main(arguments: list[str]) -> int:
    """Probe as the command line says; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--says", default="")
    parser.add_argument("--loop-within", type=float)
    parser.add_argument("--user", default="")
    parser.add_argument("--password-file", type=Path)
    options = parser.parse_args(arguments)
    request = urllib.request.Request(options.url)  # noqa: S310  # the address stands in the Compose file
    if options.password_file is not None:
        pair = f"{options.user}:{options.password_file.read_text().strip()}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # as above
            content = answer.read()
    except OSError as error:  # refused, timed out, or an answer that is no success
        sys.stderr.write(f"{options.url}: {error}\n")
        return 1
    if options.says and options.says not in content.decode().splitlines():
        sys.stderr.write(f"{options.url}: does not say {options.says}\n")
        return 1
    if options.loop_within is None:
        return 0
    turned = json.loads(content).get("last_process_ts") or 0
    if time.time() - turned <= options.loop_within:
        return 0
    sys.stderr.write(f"{options.url}: the loop last turned at {turned}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Check a running server: ``python -m app.health`` exits with 0 if it is healthy. Containers use it."""

import os
import sys
import urllib.request

PREFIX = "FACIAL_EXPRESSION_"


def main() -> int:
    host = os.environ.get(PREFIX + "HOST", "127.0.0.1")
    port = os.environ.get(PREFIX + "PORT") or os.environ.get("PORT") or "8000"
    address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # not through a proxy of the environment
        opener.open(f"http://{address}:{port}/healthz", timeout=2).close()
    except OSError as error:
        print(f"health: {address}:{port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

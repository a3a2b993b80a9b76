"""Who may use the API, and how often: an optional key and an optional limit on the rate of each address."""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request

from .problems import API_KEY, RATE_LIMITED, Kind, Problem
from .settings import Settings

HEADER = "X-API-Key"
_CHALLENGE = {"WWW-Authenticate": "ApiKey"}  # which RFC 9110 (section 15.5.2) asks for
_MAX_ADDRESSES = 10_000  # that are remembered; the ones seen longest ago are forgotten first

_key_header = APIKeyHeader(name=HEADER, auto_error=False, description="the server's API key")


class RateLimit:
    """A token bucket for each address, which holds the requests of ten seconds.

    Args:
        per_minute: requests that an address may send per minute.
    """

    def __init__(self, per_minute: float):
        self._per_second, self._size = per_minute / 60, max(1.0, per_minute / 6)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def check(self, address: str, now: float) -> None:
        """Take a token.

        Raises:
            Problem: the address has none left.
        """
        tokens, counted = self._buckets.pop(address, (self._size, now))
        tokens = min(self._size, tokens + (now - counted) * self._per_second)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if not allowed:
            seconds = math.ceil((1 - tokens) / self._per_second)
            detail = f"Your address may send {60 * self._per_second:g} requests per minute. Try again in {seconds} s."
            raise Problem(RATE_LIMITED, detail, {"Retry-After": str(seconds)})


def access_rules(settings: Settings) -> tuple[Sequence[Any], tuple[Kind, ...]]:
    """The dependencies of the endpoints that recognize, and the problems that they add."""
    dependencies, kinds = [], []
    if settings.rate_limit:
        limit = RateLimit(settings.rate_limit)

        async def check_rate(request: Request) -> None:
            limit.check(request.client.host if request.client else "", time.monotonic())

        dependencies.append(Depends(check_rate))
        kinds.append(RATE_LIMITED)
    if settings.api_key:

        async def check_key(key: str | None = Security(_key_header)) -> None:
            if not hmac.compare_digest(_digest(key or ""), _digest(settings.api_key)):
                raise Problem(API_KEY, f"Send the server's API key in the header {HEADER}.", _CHALLENGE)

        dependencies.append(Security(check_key))
        kinds.append(API_KEY)
    return dependencies, tuple(kinds)


def _digest(key: str) -> bytes:
    """Comparing digests reveals neither the length nor a part of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

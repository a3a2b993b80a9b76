"""Settings that are off by default: API key, rate limit and CORS."""

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.access import RateLimit
from app.problems import RATE_LIMITED, Problem
from helpers.photos import encode

IMAGE = encode(Image.new("L", (20, 20)))
PATHS = ("/api/v1/recognize", "/api/recognize")


def post(client, path=PATHS[0], **headers):
    return client.post(path, content=IMAGE, headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_api_key_is_required_where_one_is_set(make_app, path):
    client = TestClient(make_app(api_key="sesame"))
    for headers in ({}, {"X-API-Key": "Sesame"}, {"X-API-Key": ""}):
        response = post(client, path, **headers)
        assert response.status_code == 401
        assert response.json()["type"] == "/errors#api-key"
        assert "sesame" not in response.text
    assert post(client, path, **{"X-API-Key": "sesame"}).status_code == 200


def test_page_learns_whether_api_key_is_required(make_app):
    for key, required in (("", False), ("sesame", True)):
        client = TestClient(make_app(api_key=key))
        assert client.get("/api/v1/settings").json()["api_key_required"] is required
        operation = client.get("/openapi.json").json()["paths"]["/api/v1/recognize"]["post"]
        assert ("security" in operation) is required
        assert ("401" in operation["responses"]) is required


def test_rate_limit_refuses_and_says_when_to_return(make_app):
    client = TestClient(make_app(rate_limit=12))
    assert [post(client).status_code for _ in range(3)] == [200, 200, 429]
    response = post(client)
    assert response.json()["type"] == "/errors#rate-limited"
    assert 1 <= int(response.headers["retry-after"]) <= 5
    assert client.get("/api/v1/settings").status_code == 200


def test_rate_limit_counts_each_address_and_refills():
    limit = RateLimit(per_minute=60)
    for _ in range(10):
        limit.check("a", now=0)
    with pytest.raises(Problem) as caught:
        limit.check("a", now=0.5)
    assert caught.value.kind is RATE_LIMITED
    limit.check("b", now=0.5)
    limit.check("a", now=1.1)
    with pytest.raises(Problem):
        limit.check("a", now=1.2)


def test_rate_limit_forgets_addresses_seen_long_ago(monkeypatch):
    monkeypatch.setattr("app.access._MAX_ADDRESSES", 3)
    limit = RateLimit(per_minute=6)
    for address in "abcd":
        limit.check(address, now=0)
    limit.check("a", now=0)
    with pytest.raises(Problem):
        limit.check("d", now=0)


def test_other_origins_may_use_api_only_where_allowed(make_app):
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    allowed = TestClient(make_app(cors_origins=("https://a.example",)))
    assert allowed.options(PATHS[0], headers=asked).headers["access-control-allow-origin"] == "https://a.example"
    assert post(allowed, Origin="https://a.example").headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-origin" not in post(allowed, Origin="https://b.example").headers
    closed = TestClient(make_app())
    assert "access-control-allow-origin" not in post(closed, Origin="https://a.example").headers
    assert closed.options(PATHS[0], headers=asked).status_code == 405

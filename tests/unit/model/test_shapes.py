"""A shape keeps what decides about a secret, gives nothing of it away, and makes another value of the same kind."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from builders import secret_text

from harness.errors import RecordingError
from harness.model.shapes import MadeUp, Packed, made_up, read_shape, saved_shape, shape_of
from harness.observe.secrets import format_of

HEX = "c0ffee00" * 6
REAL = secret_text(HEX)
TOKEN = (
    ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "someone", "exp": 1767226200})
    )
    + ".c2lnbmF0dXJl"
)
SECRETS = {
    "version 00": REAL,
    "version 01": secret_text(HEX, version="01", data_locality="EU"),
    "another version": secret_text(HEX, version="99"),
    "in quotes": f'"{REAL}"',
    "no secret of ChatKit's": "mock-client-secret-for-development-only",
    "a session's id": "cksess_0123456789abcdef",
    "a project's key": "sk-proj-0123456789abcdef",
    "a token": TOKEN,
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_made_up_value_is_taken_for_the_same_kind(secret: str) -> None:
    """It has the same format, length and public parts, and is always the same."""
    shape = shape_of(secret)
    again = made_up(shape, "seed")
    assert again != secret
    assert format_of(again) == format_of(secret)
    if secret != TOKEN:  # of a token's claims only those stay that decide
        assert abs(len(again) - len(secret)) <= 8  # JSON may be written with spaces
    assert made_up(shape, "seed") == again != made_up(shape, "another")
    assert shape_of(again) == shape


def test_a_shape_gives_nothing_away() -> None:
    """No part of a secret that nobody else could know is in it."""
    for secret in SECRETS.values():
        told = json.dumps(saved_shape(shape_of(secret)))
        assert HEX[:8] not in told
        assert "someone" not in told
        assert "0123456789" not in told
        assert "development" not in told


def test_a_client_secret_keeps_its_expiry() -> None:
    """The frame looks at it, and asks for another secret when it has passed."""
    assert Packed(claims=(("expires_at", 1767226200), ("data_locality", "EU"))) in shape_of(SECRETS["version 01"])


def test_a_secret_of_an_address_is_the_same_secret() -> None:
    """What was written with per cent signs is unpacked first."""
    assert shape_of(quote(REAL, safe="")) == shape_of(REAL)


def test_cookies_keep_names_and_attributes() -> None:
    """A page may look for a cookie by its name."""
    header = "sid=0123456789abcdef; Path=/; HttpOnly\ntheme=dark; Max-Age=3600"
    again = made_up(shape_of(header, "cookie"), "seed")
    assert [line.split("=")[0] for line in again.split("\n")] == ["sid", "theme"]
    assert "; Path=/; HttpOnly" in again
    assert "; Max-Age=3600" in again
    assert "0123456789abcdef" not in again
    assert "dark" not in again


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_shape_survives_json(secret: str) -> None:
    """A manifest holds it."""
    shape = shape_of(secret)
    assert read_shape(json.loads(json.dumps(saved_shape(shape)))) == shape


@pytest.mark.parametrize("saved", ["ek_", {"a": 1}, [True], [None], [{"base64": 7}], [[1]], [{}], [-1]])
def test_what_is_no_shape_is_refused(saved: object) -> None:
    """A damaged manifest is an error of its own."""
    with pytest.raises(RecordingError, match="shape is damaged"):
        read_shape(saved)


def test_placeholders_are_written_as_their_text_needs_it() -> None:
    """In JSON a quote is escaped, in a URL whatever has a meaning there; an unknown one still works."""
    made = MadeUp({"<redacted:client_secret:1>": shape_of(f'"{REAL}"')})
    body = made.text('{"client_secret": "<redacted:client_secret:1>"}', "application/json")
    value = json.loads(body)["client_secret"]
    assert value.startswith('"ek_')
    assert value.endswith('"')
    assert made.url("https://app.test/?s=<redacted:client_secret:1>") == f"https://app.test/?s={quote(value, safe='')}"
    assert made.url("https://app.test/?s=%3Credacted:client_secret:1%3E") == made.url(
        "https://app.test/?s=<redacted:client_secret:1>"
    )
    assert made.text("<redacted:client_secret:1>") == made.text("<redacted:client_secret:1>")
    assert format_of(made.text("<redacted:client_secret:7>")) == "v00"
    assert made.text("nothing here") == "nothing here"

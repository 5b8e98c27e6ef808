"""Where a client secret stands, whether the SDK accepts it, and digests that can be compared but not read."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from builders import secret_text

from harness.observe.secrets import digest_of, format_of, found_secret, parsed_json, string_digests, url_digests

SECRET = secret_text("68a1f00dcafe4711")
MOCK = "mock_secret_for_tests"


def tail(claims: Any) -> str:
    """Return claims as the last part of a secret."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    return base64.b64encode(text.encode()).decode()


# --- format -------------------------------------------------------------------------------------------------------

FORMATS = {
    "version 00": (SECRET, "v00"),
    "version 01": (secret_text(version="01", data_locality="EU"), "v01"),
    "a fraction of a second": (secret_text(expires_at=1.5), "v00"),
    "another prefix": ("cs_test_00" + tail({"expires_at": 1}), "v00"),
    "without padding, as atob takes it": (secret_text().rstrip("="), "v00"),
    "with white space in it, as atob takes it": (secret_text()[:-4] + "\n" + secret_text()[-4:], "v00"),
    "a version that is not known": (secret_text(version="02"), "other"),
    "no version": ("ek_0123_" + tail({"expires_at": 1}), "other"),
    "no underscore": ("00" + tail({"expires_at": 1}), "other"),
    "no expiry": ("ek_0123_00" + tail({"expires": 1}), "other"),
    "an expiry that is a text": (secret_text(expires_at="soon"), "other"),
    "an expiry that is true": (secret_text(expires_at=True), "other"),
    "an expiry that is null": (secret_text(expires_at=None), "other"),
    "claims that are a list": ("ek_0123_00" + tail([1]), "other"),
    "claims that are no JSON": ("ek_0123_00" + tail("expires_at"), "other"),
    "claims that are NaN": ("ek_0123_00" + tail('{"expires_at": NaN}'), "other"),
    "claims that are no text": ("ek_0123_00" + base64.b64encode(b"\xff\xfe").decode(), "other"),
    "no base64": ("ek_0123_00{}", "other"),
    "URL-safe base64, as atob refuses it": ("ek_0123_00" + "eyJ-", "other"),
    "base64 of a length that cannot be": ("ek_0123_00" + "eyJhb", "other"),
    "a mock": (MOCK, "other"),
    "nothing": ("", "other"),
}


@pytest.mark.parametrize(("secret", "expected"), FORMATS.values(), ids=FORMATS.keys())
def test_the_format_is_what_the_frame_would_say(secret: str, expected: str) -> None:
    """The frame decides with `atob` and `JSON.parse`; so does this."""
    assert format_of(secret) == expected


# --- finding ------------------------------------------------------------------------------------------------------

BODIES: dict[str, tuple[str, str, str]] = {
    "the documented key": (json.dumps({"client_secret": MOCK}), "client_secret", MOCK),
    "camel case": (json.dumps({"clientSecret": MOCK}), "clientSecret", MOCK),
    "with a dash": (json.dumps({"client-secret": MOCK}), "client-secret", MOCK),
    "with ChatKit's name": (json.dumps({"chatkit_client_secret": MOCK}), "chatkit_client_secret", MOCK),
    "with ChatKit's name only": (json.dumps({"chatkitSecret": MOCK}), "chatkitSecret", MOCK),
    "an older name": (json.dumps({"clientToken": MOCK}), "clientToken", MOCK),
    "nested": (json.dumps({"data": {"client_secret": MOCK}}), "data.client_secret", MOCK),
    "in a list": (json.dumps({"sessions": [{"id": "x"}, {"client_secret": MOCK}]}), "sessions.client_secret", MOCK),
    "the real shape under any key": (json.dumps({"value": SECRET}), "value", SECRET),
    "nothing but the secret, as JSON": (json.dumps(SECRET), "(text)", SECRET),
    "nothing but the secret, as text": (SECRET, "(text)", SECRET),
    "in a document": (f"<script>window.s = '{SECRET}'</script>", "(text)", SECRET),
}


@pytest.mark.parametrize(("text", "key", "value"), BODIES.values(), ids=BODIES.keys())
def test_a_secret_is_found_with_its_place(text: str, key: str, value: str) -> None:
    """By the name of its key, or by its shape."""
    found = found_secret(text, parsed_json(text))
    assert found is not None
    assert (found.key, found.value) == (key, value)


NO_SECRET = {
    "an empty one": json.dumps({"client_secret": ""}),
    "null": json.dumps({"client_secret": None}),
    "an object": json.dumps({"client_secret": {"value": "x"}}),
    "another key": json.dumps({"secret_word": MOCK}),
    "an API key's shape": json.dumps({"key": "ek_short"}),
    "an error": json.dumps({"error": {"message": "client_secret is missing"}}),
    "nothing": "",
    "a number": "7",
    "text": "the client_secret of a page",
}


@pytest.mark.parametrize("text", NO_SECRET.values(), ids=NO_SECRET.keys())
def test_other_bodies_hold_no_secret(text: str) -> None:
    """Near misses: empty values, other names, other shapes."""
    assert found_secret(text, parsed_json(text)) is None


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000], ids=["cut", "empty", "nested too deeply"])
def test_what_is_no_json_is_none(text: str) -> None:
    """Whatever a page answers, it is parsed or it is not."""
    assert parsed_json(text) is None


def test_deeply_nested_json_is_searched() -> None:
    """As deep as the parser goes, the search goes too."""
    text = '{"a":' * 900 + json.dumps({"client_secret": MOCK}) + "}" * 900
    parsed = parsed_json(text)
    assert parsed is not None
    found = found_secret(text, parsed)
    assert found is not None
    assert found.value == MOCK


# --- digests ------------------------------------------------------------------------------------------------------


def test_a_digest_is_salted_and_as_the_probe_computes_it() -> None:
    """SHA-256 of salt and text, the first eight bytes."""
    assert digest_of("text", "salt") == hashlib.sha256(b"salttext").hexdigest()[:16]
    assert digest_of("text", "salt") != digest_of("text", "pepper")


def test_a_lone_surrogate_has_a_digest() -> None:
    """JSON can hold half a character, and the browser's encoder has a way with it."""
    assert digest_of("\ud83d", "salt") == digest_of("\ufffd", "salt")


def holds(text: str, value: str) -> bool:
    """Whether the digests of a body contain that of a value."""
    return digest_of(value, "salt") in string_digests(text, parsed_json(text), "salt")


DOCUMENTS = {
    "a JSON leaf": json.dumps({"anything": {"at": ["all", MOCK]}}),
    "a script": f'<script>window.config = {{ secret: "{MOCK}" }}</script>',
    "single quotes": f"<script>boot('{MOCK}')</script>",
    "an attribute": f'<div id="chat" data-secret="{MOCK}"></div>',
    "JSON in a script, escaped": '<script>self.__next_f.push([1,"{\\"secret\\":\\"' + MOCK + '\\"}"])</script>',
    "JSON in an attribute": f'<div data-props="{{&quot;secret&quot;:&quot;{MOCK}&quot;}}"></div>',
    "a string that contains JSON, with no other quotes": f"<textarea>{{&quot;secret&quot;:&quot;{MOCK}&quot;}}</textarea>",
    "a script with an entity in it": f'<script>quoted("&quot;&quot;").then(handOver("{MOCK}"))</script>',
    "after hundreds of asset URLs": "".join(f'<link href="/_next/static/chunk-{n}.js">' for n in range(500))
    + f'<script>boot("{MOCK}")</script>',
}


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_string_that_was_handed_to_the_frame_is_found_in_the_body_it_came_from(text: str) -> None:
    """Whatever its name, a secret is recognised by the digest of the whole string."""
    assert holds(text, MOCK)


def test_short_strings_and_parts_of_strings_have_no_digest() -> None:
    """What is short is no secret, and a part is another string."""
    assert string_digests('{"a": "short"}', {"a": "short"}, "salt") == ()
    assert not holds(json.dumps({"a": f"{MOCK}-and-more"}), MOCK)


def test_digests_are_bounded_and_each_stands_once() -> None:
    """A large body does not make a large line."""
    many = [f"string number {n}" for n in range(1_000)]
    assert len(string_digests("", {"all": many, "same": many}, "salt")) <= 200


def test_a_secret_in_a_url_has_a_digest() -> None:
    """The longer values of a query, decoded."""
    url = f"https://app.test/chat?tab=1&s={MOCK}%3D"
    assert url_digests(url, "salt") == (digest_of(f"{MOCK}=", "salt"),)

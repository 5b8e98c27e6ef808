"""Redaction: what is secret never stays, in any encoding; what is not secret is not touched."""

from __future__ import annotations

import base64
import gzip
import html
import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from builders import secret_text
from hypothesis import assume, given
from hypothesis import strategies as st
from written import CHARACTERS, in_json, percent, sure_base64

from harness.model.redaction import Redactor, encodings_of, unfit

SECRET = secret_text()
API_KEY = "sk-" + "proj-4f7Qm2ZxW9vB"
JWT = ".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0NTYifQ", "c2lnbmF0dXJlLW9ubHk"))
OPAQUE = "p+4/7=q&1<m2>'x9\"ä"
PLAIN = "4f7qm2zxw9vb11aa"


# --- by shape -----------------------------------------------------------------------------------------------------

BY_SHAPE = {
    "a client secret": (f"got {SECRET}, good", "got <redacted:client_secret:1>, good"),
    "a client secret in a query": (f"/?s={quote(SECRET, safe='')}&t=1", "/?s=<redacted:client_secret:1>&t=1"),
    "a mock of one": ("ek_mock_secret", "<redacted:client_secret:1>"),
    "an API key": (f"key {API_KEY}.", "key <redacted:api_key:1>."),
    "an API key of letters only": ("sk-" + "abcdefghijKLMNOPqrst", "<redacted:api_key:1>"),
    "a JWT": (f"token={JWT}", "token=<redacted:jwt:1>"),
    "a bearer token": (f"Authorization: Bearer {PLAIN}==", "Authorization: Bearer <redacted:bearer:1>"),
    "a bearer token in capitals": (f"BEARER {PLAIN}", "BEARER <redacted:bearer:1>"),
}


@pytest.mark.parametrize(("text", "expected"), BY_SHAPE.values(), ids=BY_SHAPE.keys())
def test_a_secret_is_known_by_its_shape(text: str, expected: str) -> None:
    """Nobody has to be told about these."""
    assert Redactor().text(text) == expected


BY_NAME = {
    "JSON": f'{{"access_token": "{PLAIN}", "n": 1}}',
    "JSON in a script": f'push("{{\\"refreshToken\\":\\"{PLAIN}\\"}}")',
    "an object in a script": f"init({{'apiKey': '{PLAIN}'}})",
    "a query": f"https://app.test/cb?code=1&id_token={PLAIN}#x",
    "a form": f"password={PLAIN}&user=me",
    "a dash and capitals": f'{{"API_KEY": "{PLAIN}"}}',
}


@pytest.mark.parametrize("text", BY_NAME.values(), ids=BY_NAME.keys())
def test_a_secret_is_known_by_the_name_it_stands_under(text: str) -> None:
    """A value without a shape of its own, in an answer, a script, a URL or a form; and everywhere else from then on."""
    redactor = Redactor()
    assert redactor.text(text) == text.replace(PLAIN, "<redacted:secret:1>")
    assert redactor.text(f"later: {PLAIN}") == "later: <redacted:secret:1>"


NO_SECRETS = (
    "",
    "Bearer authentication failed",
    'www-authenticate: Bearer realm="OpenAI API", error="invalid_token"',
    "Missing bearer or basic authentication in header",
    "Bearer authorization_uri is missing",
    '<div class="sk-loading-spinner sk-circle1 sk-chasing-dot-before"></div>',
    "risk-assessment-of-tokens, task-management-2026-11-24",
    "a week_number_of_year and a geek_mode",
    '{"password": "Password", "placeholder": "Enter your password"}',
    '{"client_secret": null, "access_token": "", "api_key": 7}',
    "const token = session.access_token, apiKey = process.env.API_KEY",
    "https://app.test/login?next=/chat&token=short&key=1",
    "eyJ is how base64 of JSON begins",
    "<redacted:client_secret:1> and <redacted:bearer:12>",
)


@pytest.mark.parametrize("text", NO_SECRETS)
def test_a_text_without_secrets_is_not_touched(text: str) -> None:
    """Near misses: ordinary words in the places of secrets."""
    redactor = Redactor([("token", PLAIN)])
    assert redactor.text(text) == text
    assert redactor.text(" ".join(NO_SECRETS)) == " ".join(NO_SECRETS)


# --- by value -----------------------------------------------------------------------------------------------------


def test_the_same_value_always_has_the_same_placeholder() -> None:
    """Numbers count the values of one kind, in the order they were learned."""
    redactor = Redactor([("api_key", "value-one"), ("token", "value-two")])
    assert (
        redactor.text("value-two value-one value-two") == "<redacted:token:1> <redacted:api_key:1> <redacted:token:1>"
    )
    assert redactor.learn("token", "value-three") == "<redacted:token:2>"
    assert redactor.learn("other", "value-one") == "<redacted:api_key:1>"


def test_a_short_value_is_left_alone() -> None:
    """It would be found in half of all words."""
    redactor = Redactor([("token", "abcde")])
    assert redactor.text("abcdef") == "abcdef"
    assert redactor.learn("token", "abcde") == "abcde"
    assert redactor.secrets == ()


def test_the_longer_of_two_secrets_is_replaced_whole() -> None:
    """One secret may be the beginning of another."""
    redactor = Redactor([("token", "abcdef"), ("token", "abcdef-ghi")])
    assert redactor.text("abcdef-ghi abcdef") == "<redacted:token:2> <redacted:token:1>"


def test_a_placeholder_is_not_searched_for_secrets() -> None:
    """A value like "redacted" or ":api_key:" does not break what stands for another."""
    redactor = Redactor([("token", "redacted"), ("token", "_secret"), ("token", PLAIN)])
    assert redactor.text(f"{SECRET} {PLAIN}") == "<redacted:client_secret:1> <redacted:token:3>"


def test_a_placeholder_is_no_secret() -> None:
    """What was redacted before is not learned again."""
    redactor = Redactor()
    assert redactor.learn("token", "<redacted:token:1>") == "<redacted:token:1>"
    assert redactor.header("authorization", "Bearer <redacted:token:1>") == "Bearer <redacted:token:1>"


ENCODINGS = {
    "as it is": OPAQUE,
    "URL component": quote(OPAQUE, safe=""),
    "URL component in small letters": quote(OPAQUE, safe="").replace("%2B", "%2b").replace("%2F", "%2f").lower(),
    "form": quote_plus(OPAQUE),
    "URL path": quote(OPAQUE, safe="/"),
    "JSON": json.dumps(OPAQUE),
    "JSON with its own letters": json.dumps(OPAQUE, ensure_ascii=False),
    "JSON with escaped slashes": json.dumps(OPAQUE).replace("/", "\\/"),
    "HTML": html.escape(OPAQUE),
    "HTML text": html.escape(OPAQUE, quote=False),
    "base64": base64.b64encode(OPAQUE.encode()).decode(),
    "base64 of more": base64.b64encode(f"user:{OPAQUE}!".encode()).decode(),
    "base64 of JSON": base64.b64encode(f'{{"key":"{OPAQUE}"}}'.encode()).decode(),
    "URL-safe base64": base64.urlsafe_b64encode(f"?{OPAQUE}".encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("written", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_a_secret_is_replaced_in_every_encoding(written: str) -> None:
    """In URLs, JSON, HTML and base64, also as a part of something longer."""
    redactor = Redactor([("token", OPAQUE)])
    assert "<redacted:token:1>" in redactor.text(f"before {written} after")
    assert not set(redactor.secrets) & set(redactor.text(written).split())


def test_the_search_after_the_run_knows_every_encoding() -> None:
    """What is replaced is what is looked for in the files."""
    assert set(Redactor([("token", OPAQUE)]).secrets) == {OPAQUE, *encodings_of(OPAQUE)}


# --- headers ------------------------------------------------------------------------------------------------------

HEADERS = {
    "a bearer": ("authorization", f"Bearer {PLAIN}", "Bearer <redacted:bearer:1>"),
    "a short bearer": ("authorization", "Bearer abc", "Bearer <redacted:bearer:1>"),
    "a bearer without value": ("authorization", "Bearer ", "Bearer "),
    "no scheme": ("Authorization", PLAIN, "<redacted:bearer:1>"),
    "basic": ("proxy-authorization", "Basic bWU6cHc=", "Basic <redacted:bearer:1>"),
    "an empty one": ("authorization", "", ""),
    "cookies": ("Cookie", f"a=1; sid={PLAIN}", "<redacted:cookie:2>"),
    "a short cookie": ("cookie", "a=1", "<redacted:cookie:1>"),
    "a set cookie": ("set-cookie", "theme=dark; Path=/", "<redacted:cookie:1>"),
    "a key": ("x-api-key", "abc", "<redacted:token:1>"),
    "the sentinel's token": ("OpenAI-Sentinel-Token", PLAIN, "<redacted:token:1>"),
    "another header": ("content-type", "application/json", "application/json"),
    "another header with a secret": ("x-note", f"see {API_KEY}", "see <redacted:api_key:1>"),
}


@pytest.mark.parametrize(("name", "value", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_a_header_is_secret_by_its_name(name: str, value: str, expected: str) -> None:
    """Authorization, cookies and keys never stay, however short they are; the scheme does."""
    assert Redactor().header(name, value) == expected


def test_what_a_header_held_is_replaced_elsewhere() -> None:
    """A page may write its cookie or its token to the console; a setting in a cookie is an ordinary word."""
    redactor = Redactor()
    redactor.header("authorization", "Bearer opaque-token")
    redactor.header("set-cookie", f"sid={PLAIN}; HttpOnly\ntheme=midnight-blue; Path=/")
    text = redactor.text(f"opaque-token {PLAIN} midnight-blue HttpOnly")
    assert text == "<redacted:bearer:1> <redacted:cookie:1> midnight-blue HttpOnly"


@pytest.mark.parametrize("header", ["Set-Cookie", "Cookie"])
def test_each_cookie_of_a_header_is_learned(header: str) -> None:
    """Playwright joins several Set-Cookie headers with line breaks; a browser sends all cookies in one line."""
    values = [f"{PLAIN}-{number}" for number in range(3)]
    separator = "; " if header == "Cookie" else "; HttpOnly; Path=/\n"
    redactor = Redactor()
    redactor.header(header, separator.join(f"part-{n}={value}" for n, value in enumerate(values)))
    assert redactor.text(" ".join(values)) == "<redacted:cookie:1> <redacted:cookie:2> <redacted:cookie:3>"


# --- what is not fit to be replaced -------------------------------------------------------------------------------

UNFIT = (
    "",
    "a",
    "abcde",
    "password",
    "PASSWORD",
    "client_secret",
    "aaaaaaaa",
    "1212121212",
    "8080800",
    "2026-11-24",
    "1.2.3",
)
FIT = ("abcdef1", "correct horse battery staple", "20261124093000", "hunter2-hunter2", "passwords", "1.2.3-beta4")


@pytest.mark.parametrize("value", UNFIT)
def test_a_value_that_stands_everywhere_is_refused_with_a_reason(value: str) -> None:
    """One character, a common word, a date: replacing it would take every text apart."""
    redactor = Redactor([("password", value)])
    text = f"a password of {value}, abcdef"
    assert redactor.text(text) == text
    assert redactor.learned == ()
    assert redactor.refused == ((("password", unfit(value)),) if value else ())


@pytest.mark.parametrize("value", FIT)
def test_a_value_that_is_rare_is_not_refused(value: str) -> None:
    """Near misses."""
    redactor = Redactor([("password", value)])
    assert redactor.refused == ()
    assert redactor.text(value) == "<redacted:password:1>"


# --- parsed JSON, bytes, and what is told to people ---------------------------------------------------------------

VALUES_IN_JSON = {
    "a header": ({"name": "Cookie", "value": "a=1"}, {"name": "Cookie", "value": "<redacted:cookie:1>"}),
    "a cookie": (
        {"cookies": [{"name": "sid", "value": "x"}]},
        {"cookies": [{"name": "sid", "value": "<redacted:cookie:1>"}]},
    ),
    "headers by name": ({"authorization": "Bearer abc"}, {"authorization": "Bearer <redacted:bearer:1>"}),
    "a field by name": ({"accessToken": PLAIN}, {"accessToken": "<redacted:secret:1>"}),
    "a list": ([1, None, True, f"x {API_KEY}"], [1, None, True, "x <redacted:api_key:1>"]),
    "packed JSON": (base64.b64encode(f'{{"k": "{API_KEY}xx"}}'.encode()).decode(), ...),
}


@pytest.mark.parametrize(("value", "expected"), VALUES_IN_JSON.values(), ids=VALUES_IN_JSON.keys())
def test_parsed_json_is_redacted_by_names_and_shapes(value: object, expected: object) -> None:
    """Also where the shape is inside of base64, as in ChatKit's hash payload."""
    clean = Redactor().value(value)
    if expected is ...:
        assert "<redacted:api_key:1>" in str(clean)
    else:
        assert clean == expected


def test_half_a_secret_at_the_end_of_a_cut_text_is_not_kept() -> None:
    """Wherever the cut falls; and nothing else is lost."""
    for limit in range(1, 3 * len(PLAIN)):
        clean = Redactor([("token", PLAIN)]).cut(f"0123456789 {PLAIN} " + "." * 20_000, limit)
        assert clean == f"0123456789 <redacted:token:1> {'.' * 100}"[:limit]
        assert Redactor([("token", PLAIN)]).cut(f"0123456789 {PLAIN}", limit) == "0123456789 <redacted:token:1>"[:limit]


@pytest.mark.parametrize("limit", [1, 18, 500, 1_500, 7_000, 9_000, 30_000])
def test_half_a_long_secret_is_not_kept_where_another_one_made_the_text_short(limit: int) -> None:
    """A placeholder in place of thousands of characters brings what was read beyond the limit within it."""
    long = "".join(f"{number:04d}-" for number in range(1_400))  # 7,000 characters
    redactor = Redactor([("token", long)])
    for text in (f"{long} {long} ", f"{long} {long} {'.' * 20_000}", f"{long}{long[:3_000]}{'.' * 20_000}"):
        clean = redactor.cut(text, limit)
        assert len(clean) <= limit
        assert redactor.text(text).startswith(clean)


SHORTENED = {
    "in the middle": (f"'{PLAIN[:7]}...{PLAIN[-6:]}' == 'x'", "'<redacted:token:1>...' == 'x'"),
    "twice": (f"{PLAIN[:8]}...{PLAIN[-4:]} {PLAIN[:9]}...", "<redacted:token:1>... <redacted:token:1>..."),
    "not at all": ("and so on... 4f7 ...aa", "and so on... 4f7 ...aa"),
}


@pytest.mark.parametrize(("text", "expected"), SHORTENED.values(), ids=SHORTENED.keys())
def test_a_secret_that_was_shortened_to_its_ends_is_replaced(text: str, expected: str) -> None:
    """As pytest does where it compares; an ellipsis between other words stays."""
    assert Redactor([("token", PLAIN)]).shown(text) == expected


PACKINGS = {
    "text": lambda content: content,
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "zlib": zlib.compress,
    "gzip of zlib": lambda content: gzip.compress(zlib.compress(content), mtime=0),
}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS.keys())
def test_bytes_are_redacted_as_they_are_packed(pack: Callable[[bytes], bytes]) -> None:
    """What was compressed still is; what holds no secret is the same object."""
    redactor = Redactor([("token", OPAQUE)])
    assert redactor.content(pack(f"a {OPAQUE}".encode())) == pack(b"a <redacted:token:1>")
    clean = pack(b"nothing here")
    assert redactor.content(clean) is clean


def test_bytes_that_are_no_text_keep_their_length() -> None:
    """A picture with a secret in its comment stays a picture."""
    content = b"\xff\xd8" + PLAIN.encode() + b"\xff" + PLAIN.encode("utf-16-le") + b"\x00\xff"
    clean = Redactor([("token", PLAIN)]).content(content)
    assert clean == b"\xff\xd8" + b"*" * 16 + b"\xff" + b"*" * 32 + b"\x00\xff"


# --- properties ---------------------------------------------------------------------------------------------------

# Words without digits are no tokens in any combination; texts without them and the underscore have no secret's shape.
PLAIN_WORDS = sorted({word for text in NO_SECRETS for word in text.split() if not any(map(str.isdigit, word))})
WORDS = st.sampled_from([*PLAIN_WORDS, "Bearer", "sk-", "ek_", "eyJ", "\n", "€"])
LETTERS = st.characters(exclude_categories=["Nd"], exclude_characters="_")
TEXTS = st.one_of(st.text(LETTERS, max_size=19), st.lists(WORDS, max_size=30).map(" ".join))
UNICODE = st.one_of(st.text(st.characters(codec="utf-8"), max_size=19), st.lists(WORDS, max_size=9).map(" ".join))
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="<>"), min_size=12, max_size=60)


@given(TEXTS, st.lists(VALUES, max_size=3))
def test_any_text_without_secrets_comes_back_byte_for_byte(text: str, secrets: list[str]) -> None:
    """Whatever else is known, nothing but a secret is changed."""
    redactor = Redactor(("token", value) for value in secrets)
    assume(not any(value in text for value in redactor.secrets))
    assert redactor.text(text) == text


@given(TEXTS, VALUES, TEXTS)
def test_no_known_secret_stays_in_any_text(before: str, secret: str, after: str) -> None:
    """Wherever it stands and however it is written, and a second pass finds nothing more."""
    redactor = Redactor([("token", secret)])
    for written in (secret, *encodings_of(secret)):
        clean = redactor.text(before + written + after)
        assert not any(value in clean for value in redactor.secrets)
        assert redactor.text(clean) == clean


@given(st.binary(max_size=300), st.binary(max_size=300), VALUES)
def test_no_known_secret_stays_in_any_bytes(before: bytes, after: bytes, secret: str) -> None:
    """Text or not: neither the value nor an encoding of it, also in UTF-16."""
    assume(not unfit(secret))
    redactor = Redactor([("token", secret)])
    for written in (secret.encode(), secret.encode("utf-16-le"), *(text.encode() for text in encodings_of(secret))):
        clean = redactor.content(before + written + after)
        assert not any(value.encode() in clean for value in redactor.secrets)
        assert redactor.content(gzip.compress(written)) != gzip.compress(written)


@given(st.recursive(st.none() | st.integers() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_any_json_without_secrets_comes_back_as_it_was(value: object) -> None:
    """Whatever its shape."""
    assert Redactor([("token", PLAIN)]).value(value) == value


# --- encodings that are worked out in `tests/written.py`, and not by the code under test -------------------------------


@pytest.mark.parametrize("write", CHARACTERS.values(), ids=CHARACTERS.keys())
@given(before=UNICODE, secret=VALUES, after=UNICODE)
def test_no_encoding_of_characters_survives(write: Callable[[str], str], before: str, secret: str, after: str) -> None:
    """Any secret between any two texts, in URLs, JSON, HTML, and one inside of another."""
    assume(not unfit(secret))
    redactor = Redactor([("token", secret)])
    text = write(before) + write(secret) + write(after)
    clean = redactor.text(text)
    assert write(secret) not in clean
    assert "<redacted:token:1>" in clean
    assert redactor.content(text.encode()) == clean.encode()
    packed = redactor.content(gzip.compress(text.encode()))
    assert write(secret) not in gzip.decompress(packed).decode()


@pytest.mark.parametrize("is_url_safe", [False, True], ids=["base64", "base64url"])
@pytest.mark.parametrize("write", [str, in_json, percent], ids=["plain", "JSON", "URL"])
@given(before=st.binary(max_size=40), secret=VALUES, after=st.binary(max_size=40))
def test_no_longer_text_in_base64_survives(
    write: Callable[[str], str], is_url_safe: bool, before: bytes, secret: str, after: bytes
) -> None:
    """Wherever the secret stands in it, padded or not, and however it is written in there."""
    assume(not unfit(secret))
    content = write(secret).encode()
    encode = base64.urlsafe_b64encode if is_url_safe else base64.b64encode
    text = encode(before + content + after).decode()
    clean = Redactor([("token", secret)]).text(f"x {text} y {text.rstrip('=')}")
    assert sure_base64(before, content, is_url_safe=is_url_safe) not in clean
    assert "<redacted:token:1>" in clean


@given(secret=VALUES, before=st.binary(max_size=200), after=st.binary(max_size=200))
def test_no_compressed_body_keeps_a_secret(secret: str, before: bytes, after: bytes) -> None:
    """gzip, zlib, and deflate without a header; packed again in the same way."""
    assume(not unfit(secret))
    redactor = Redactor([("token", secret)])
    body = before + secret.encode() + after
    bare = zlib.compressobj(wbits=-15)
    for packed, wbits in (
        (gzip.compress(body), 31),
        (zlib.compress(body), 15),
        (bare.compress(body) + bare.flush(), -15),
    ):
        clean = redactor.content(packed)
        assert secret.encode() not in zlib.decompress(clean, wbits=wbits)
        assert secret.encode() not in clean


@given(secret=VALUES, text=TEXTS, cuts=st.lists(st.integers(min_value=0, max_value=100), max_size=5))
def test_a_secret_that_comes_in_pieces_is_replaced_when_they_are_together(
    secret: str, text: str, cuts: list[int]
) -> None:
    """A body arrives in chunks and is redacted as one; a redactor keeps nothing between two texts."""
    assume(not unfit(secret))
    redactor = Redactor([("token", secret)])
    whole = text + secret + text
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    chunks = [whole[start:end] for start, end in pairwise(places)]
    assert secret not in redactor.text("".join(chunks))
    half = secret[: len(secret) // 2 + 1]
    assert half in text or half not in redactor.cut(whole, len(text) + len(half))


@given(content=st.one_of(st.binary(max_size=300), TEXTS.map(str.encode)), secret=VALUES)
def test_any_bytes_without_secrets_come_back_byte_for_byte(content: bytes, secret: str) -> None:
    """As they are, and packed; pictures and broken texts too."""
    redactor = Redactor([("token", secret)])
    assume(not any(value.encode() in content or value.encode("utf-16-le") in content for value in redactor.secrets))
    for packed in (content, gzip.compress(content), zlib.compress(content)):
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = ""
        assume(redactor.text(text) == text)
        assert redactor.content(packed) is packed

"""Passwords, folders and characters that no engine stores stay out of shared text."""

import json
import shlex
import sqlite3
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import URL

from harness.errors import InputError
from harness.store.privacy import (
    document_without_paths,
    read_url,
    shareable,
    shown_url,
    storable,
    without_secrets,
)

# What people type: letters, digits and all of ASCII's signs, no blanks.
TYPED = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
PRINTABLE_TEXT = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=20
)
SCHEMES = st.sampled_from(["postgresql", "postgresql+psycopg", "mysql", "https", "redis", "ssh", "jdbc:pg"])
KEYS = st.sampled_from(["password", "passwd", "sslpassword", "token", "access_token", "PGPASSWORD"])
AROUND = st.sampled_from([("", ""), ("cannot open ", " at 12:30"), ("('", "', 'a:b')"), ("<", "> (42)")])


def _is_port(secret: str) -> bool:
    return secret[:1].isdigit()


@given(SCHEMES, st.sampled_from(["", "jane", "jane@corp"]), TYPED, AROUND)
def test_no_password_of_a_url_survives_as_it_was_typed(
    scheme: str, user: str, secret: str, around: tuple[str, str]
) -> None:
    assume(not (scheme == "https" and _is_port(secret)))
    url = f"{scheme}://{user}:{{}}@db.org:5432/wmh?sslmode=require".join(around)
    assert without_secrets(url.replace("{}", secret)) == url.replace("{}", "***")


@given(SCHEMES, ANY_TEXT, AROUND)
def test_no_password_of_a_url_survives_percent_encoded(
    scheme: str, secret: str, around: tuple[str, str]
) -> None:
    url = f"{scheme}://jane:{{}}@db.org/wmh".join(around)
    assert without_secrets(url.replace("{}", quote(secret, safe=""))) == url.replace("{}", "***")


@given(KEYS, ANY_TEXT, AROUND)
def test_no_secret_in_the_query_of_a_url_survives(key: str, secret: str, around: tuple[str, str]) -> None:
    url = f"postgresql://jane@db.org/wmh?sslmode=require&{key}={{}}&connect_timeout=3".join(around)
    encoded = quote_plus(secret)
    assume(encoded.strip("\"'`)]}>,;."))
    assert without_secrets(url.replace("{}", encoded)) == url.replace("{}", "***")


@given(KEYS, st.sampled_from(["=", " = "]), PRINTABLE_TEXT)
def test_no_secret_of_a_keyword_string_survives(key: str, equals: str, secret: str) -> None:
    quoted = "'" + secret.replace("\\", r"\\").replace("'", r"\'") + "'"
    assume(secret.isprintable())
    text = f"host=db {key}{equals}{{}} dbname=wmh"
    assert without_secrets(text.replace("{}", quoted)) == text.replace("{}", "***")


@given(PRINTABLE_TEXT)
def test_no_secret_of_a_shell_line_or_a_mapping_survives(secret: str) -> None:
    assume(secret.isprintable())
    line = f"PGPASSWORD={shlex.quote(secret)} lossbench run tiny.yaml --local"
    assert without_secrets(line) == "PGPASSWORD=*** lossbench run tiny.yaml --local"
    assert (
        without_secrets(json.dumps({"password": secret, "host": "db"})) == '{"password": "***", "host": "db"}'
    )
    assert without_secrets(repr({"host": "db", "password": secret})) == "{'host': 'db', 'password': " + (
        '"***"}' if repr(secret).startswith('"') else "'***'}"
    )


PLAIN = [
    "s3://bucket/key:with@x",
    "s3://bucket:9000/key@2",
    "at 12:30 a:b met jane@corp.org",
    "http://localhost:8080/a@b",
    "http://[::1]:80/x@y",
    "postgresql://jane@db.org:5432/wmh",
    "postgresql://db.org:5432/wmh is down; ask jane@corp.org",
    "sqlite:///lossbench-home/results.db",
    "sqlite:////data/jane@corp/results.db",
    "git@github.com:x/y.git",
    "C:\\data\\x.nii: bad",
    "tokens=3 passwords: 4 a==b password == other",
    "dice:0.5;ce:0.5 = ok",
]


@pytest.mark.parametrize("text", PLAIN)
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text())
def test_text_without_url_and_secret_key_stays_as_it_is(text: str) -> None:
    assume(
        "://" not in text
        and not any(word in text.lower() for word in ("pass", "pwd", "secret", "token", "key"))
    )
    assert without_secrets(text) == text


@given(st.one_of(st.text(), TYPED.map("postgresql://u:{}@h".format), TYPED.map("password={}".format)))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = without_secrets(text)
    assert without_secrets(once) == once


def test_a_long_text_is_masked_in_no_time() -> None:
    for piece in ("password", "a://", "a://b:", "token=", "'\"", "&a=", "x" * 7 + "\\", "?token='"):
        without_secrets(piece * 2000)


@given(TYPED)
def test_the_shown_url_of_a_database_holds_no_password_however_it_is_written(secret: str) -> None:
    shown = "postgresql://jane:***@db.org/wmh"
    assert shown_url(f"postgresql://jane:{secret}@db.org/wmh") == shown
    assert shown_url(f"postgresql://jane:{secret} {secret}@db.org/wmh") == shown
    assert shown_url(URL.create("postgresql", "jane", secret, "db.org", database="wmh")) == shown


@given(TYPED)
def test_the_shown_url_holds_no_secret_option_however_it_is_written(secret: str) -> None:
    assume("&" not in secret)
    inside = f"Gehe{secret}im"
    for url in (
        "postgresql://jane@db.org:5432/wmh?password=",
        "postgresql://db.org/wmh?sslpassword=",
        "postgresql://jane:one@db.org/wmh?password=",
    ):
        for typed in (inside, f"Gehe {inside}"):
            shown = shown_url(url + typed)
            assert "Gehe" not in shown
            assert "im" not in shown
            assert "one" not in shown


def test_the_shown_url_hides_secret_options_and_keeps_the_others() -> None:
    url = "postgresql://db.org/wmh?password=a%26b&sslmode=require&sslpassword=c"
    assert shown_url(url) == "postgresql://db.org/wmh?password=***&sslmode=require&sslpassword=***"
    assert shown_url("sqlite:///home/100%_#;.db") == "sqlite:///home/100%_#;.db"


@pytest.mark.parametrize("password", ["p@ss:w/rd%", "a@b", "x@y:1/z", "@", "a@b?"])
def test_a_password_whose_end_is_unclear_is_refused_without_showing_a_piece_of_it(password: str) -> None:
    with pytest.raises(InputError, match="%40") as refusal:
        read_url(f"postgresql://jane:{password}@db.org/wmh")
    assert "jane:***@db.org/wmh" in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert read_url(f"postgresql://jane:{quote(password, safe='')}@db.org/wmh").password == password


def test_what_no_engine_stores_is_written_out(tmp_path: Path) -> None:
    text = "bad\0file\udcff.png 患者 🧠"
    assert storable(text) == r"bad\x00file\udcff.png 患者 🧠"
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT ?", (storable(text),)).fetchone() == (storable(text),)
    assert document_without_paths({"a\0": [text, "/home/jane/x.nii", 3]}) == {
        r"a\x00": [storable(text), "x.nii", 3]
    }


def test_shareable_text_holds_neither_secrets_nor_folders() -> None:
    text = "postgresql://u:a/b/c@h/d cannot read /home/jane/wmh/x.nii\0"
    assert shareable(text) == r"postgresql://u:***@h/d cannot read x.nii\x00"

"""Keep folders, passwords and what no engine stores out of what people share.

Three filters for free text (reasons, tracebacks, command lines): :func:`without_secrets`,
:func:`without_paths` and :func:`storable`; :func:`shareable` is all of them. A database URL is read by
:func:`read_url` and shown by :func:`shown_url`, nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import InputError

MASK = "***"
"""Stands for every secret; SQLAlchemy writes the same."""

_PATH = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:\\|~?/)(?:[^\s'\"<>|:;,/\\]+[/\\])+(?P<name>[^\s'\"<>|:;,/\\]*)")

_KEY = r"(?<![\w-])[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key)"
_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_WORD_ENDS = r"['\"`)\]}>,;.]*(?:\s|$)"
_ARGUMENT_ENDS = r"['\"`)\]}>;]*(?:\s|$)"  # a comma or a full stop may be the end of the secret
# A word of a shell with quotes in it, such as 'a b'"'"'c'; it ends outside them.
_SHELL_WORD = rf"(?:[^\s'\"\\]|\\.)*(?:{_QUOTED})(?:{_QUOTED}|\\.|[^\s'\"\\,;)\]}}>])*(?=[);\]}}>]*(?:\s|$))"
# scheme://user:password@ up to the last @ of the word, for people type @ : / and more unescaped; a word
# without an @ is a host and port, or the first word of a password with blanks.
_USER = re.compile(
    r"(?P<head>(?<![\w+.-])(?P<scheme>[\w+.-]+)://(?!\[)[^\s:/?#'\"<>]*:)"
    r"(?P<secret>\S+|(?!\d{1,5}(?:[/?#\s]|$))[^\r\n@]+)(?=@)"
)
_PORT = re.compile(r"\d{1,5}[/?#]")
_PORT_FIRST = frozenset({"http", "https", "ftp", "s3", "gs"})
"""Schemes whose ``host:80/`` is a port: an @ may follow in the path."""

_IN_QUERY = re.compile(
    rf"(?P<head>(?<=[?&]){_KEY}(?:=|%3D))(?P<secret>\S+?)(?=&[\w.%-]+=|{_WORD_ENDS})", re.IGNORECASE
)
# The same in a text that is an URL and nothing else.
_OPTION = re.compile(
    rf"(?P<head>(?<=[?&]){_KEY}(?:=|%3D))(?P<secret>.+?)(?=&[\w.%-]+=|\Z)", re.IGNORECASE | re.DOTALL
)
_ASSIGNED = re.compile(
    rf"(?P<head>(?<![?&]){_KEY}(?:=|\s+=(?!=)|\s*%3D)\s*)"
    rf"(?P<secret>{_SHELL_WORD}|(?:\\.|\S)+?(?={_ARGUMENT_ENDS}))",
    re.IGNORECASE,
)
_IN_MAPPING = re.compile(
    rf"(?P<head>(?P<quote>['\"]){_KEY}(?P=quote)\s*:\s*)(?P<secret>{_QUOTED})", re.IGNORECASE
)
_SECRET_KEY = re.compile(_KEY, re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Return ``text`` with every password masked, and everything else as it is.

    Masked are passwords in URLs (of any scheme, percent-encoded or as typed), values of keys that end in
    password, passwd, pwd, passphrase, secret, token or key of an interface, in queries of URLs, keyword
    strings of libpq, environment variables, and mappings as Python or JSON write them.

    >>> without_secrets("postgresql://jane:p@ss:w/rd%@db.org/wmh?sslpassword=x&sslmode=require")
    'postgresql://jane:***@db.org/wmh?sslpassword=***&sslmode=require'
    >>> without_secrets("at 12:30 host=db password='two words' failed")
    'at 12:30 host=db password=*** failed'
    """
    text = _USER.sub(_masked_user, text)
    for pattern in (_IN_QUERY, _ASSIGNED, _IN_MAPPING):
        text = pattern.sub(_masked, text)
    return text


def _masked(match: re.Match[str]) -> str:
    quote = match["secret"][0] if match.re is _IN_MAPPING else ""  # there the text stays Python or JSON
    return f"{match['head']}{quote}{MASK}{quote}"


def _masked_user(match: re.Match[str]) -> str:
    if match["scheme"].lower() in _PORT_FIRST and _PORT.match(match["secret"]):
        return match[0]
    return f"{match['head']}{MASK}"


def read_url(text: str) -> URL:
    """Return a database URL in its parts.

    Raises:
        InputError: if it is none, or if an unescaped @ leaves open where the password ends.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained: the parser's message may quote a piece of the password.
        raise InputError(
            f"the database URL {shown_url(text)!r} cannot be read; expected for example "
            "sqlite:///lossbench-home/results.db; write @ : / % in a password as %40 %3A %2F %25"
        ) from None
    if _is_torn(url, text):
        raise InputError(
            f"the database URL {shown_url(text)!r} holds @ more than once; write an @ that is part of a "
            "password, name or option as %40"
        )
    return url


def shown_url(url: str | URL) -> str:
    """Return a database URL for people: password and secret options masked.

    Args:
        url: Parsed, or as typed; what cannot be parsed is masked as text.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return _masked_as_typed(str(url))
    if isinstance(url, str) and (parsed.password is None or _is_torn(parsed, url)):
        return _masked_as_typed(url)
    query = {key: MASK if _SECRET_KEY.fullmatch(key) else value for key, value in parsed.query.items()}
    shown = parsed.set(query=query).render_as_string(hide_password=True)
    return without_secrets(shown.replace("=%2A%2A%2A", f"={MASK}"))


def _is_torn(url: URL, text: str) -> bool:
    """Whether the parser may have taken a piece of a secret for host, database or option."""
    secrets = text.partition("://")[2].partition(":")[2]
    option = _OPTION.search(secrets)
    in_option = option is not None and "@" in secrets[option.start() :]
    return url.password is not None and (secrets.count("@") > 1 or in_option)


def _masked_as_typed(url: str) -> str:
    """Mask from the user's colon to the last @ of all; an URL is one word, blanks included.

    With an @ behind a secret option, too, nobody can tell where which secret ends: the rest is cut off.
    """
    head, found, rest = url.partition("://")
    option = _OPTION.search(rest)
    before, after = (rest[: option.start()], rest[option.start() :]) if option else (rest, "")
    user, colon, _ = before.partition(":")
    if found and colon and "@" in rest[len(user) :]:
        url = f"{head}://{user}:{MASK}" + ("" if "@" in after else f"@{rest.rpartition('@')[2]}")
    return without_secrets(_OPTION.sub(_masked, url))


def without_paths(text: str) -> str:
    """Return ``text`` with every absolute path cut down to its last part.

    >>> without_paths("cannot read '/home/jane/wmh/image.nii.gz': truncated")
    "cannot read 'image.nii.gz': truncated"
    """
    return _PATH.sub(lambda match: match["name"] or "(folder)", text)


def storable(text: str) -> str:
    r"""Return ``text`` with what no engine stores written out: NUL and halves of surrogate pairs.

    >>> storable("a\0b\udcff")
    'a\\x00b\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", r"\x00")


def shareable(text: str) -> str:
    """Return free text as it is stored and shown: no secret, no folder, nothing an engine refuses."""
    return storable(without_paths(without_secrets(text)))


def document_without_paths(node: Any) -> Any:
    """Return a nest of mappings and lists, every text :func:`storable` and :func:`without_paths`."""
    if isinstance(node, str):
        return storable(without_paths(node))
    if isinstance(node, Mapping):
        return {
            storable(key) if isinstance(key, str) else key: document_without_paths(value)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [document_without_paths(value) for value in node]
    return node

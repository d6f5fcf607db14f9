"""A server for browsers on this machine: a few known pages, and nothing else.

It listens on 127.0.0.1 only, answers only requests that call it so (a page elsewhere cannot make a browser
read it under another name), and serves files from a list, never by the path that was asked for.
"""

import errno
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from harness.errors import InputError

LOOPBACK = "127.0.0.1"
_NAMES = (LOOPBACK, "localhost")
_HTTP_PORT = 80
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".tex": "application/x-tex",
    ".bib": "text/x-bibtex",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """What is served.

    Attributes:
        page: Makes the page at ``/``.
        progress: Makes what is at ``/progress.json``.
        files: Returns the files that may be read now, by the path that they are asked for with, without
            the slash before it.
    """

    page: Callable[[], str]
    progress: Callable[[], Mapping[str, Any]]
    files: Callable[[], Mapping[str, Path]]


class _Handler(BaseHTTPRequestHandler):
    server_version = "lossbench"
    sys_version = ""
    timeout = 30
    site: ClassVar[Site]
    names: ClassVar[frozenset[str]]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)

    def _answer(self, with_body: bool) -> None:
        if not self._is_for_us():
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "ask for 127.0.0.1 or localhost")
            return
        try:
            found = self._content(unquote(urlsplit(self.path).path))
        except InputError as error:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
            return
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content, kind = found
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def end_headers(self) -> None:
        """Add what keeps the pages to themselves."""
        for name, value in _SAFETY.items():
            self.send_header(name, value)
        super().end_headers()

    def _is_for_us(self) -> bool:
        return self.headers.get("Host", "") in self.names

    def _content(self, path: str) -> tuple[bytes, str] | None:
        if path == "/":
            return self.site.page().encode(), _TYPES[".html"]
        if path == "/progress.json":
            return json.dumps(self.site.progress(), default=str).encode(), _TYPES[".json"]
        file = self.site.files().get(path.removeprefix("/"))
        if file is None:
            return None
        try:
            return file.read_bytes(), _TYPES.get(file.suffix, "application/octet-stream")
        except FileNotFoundError:
            return None  # the next report has none


@contextmanager
def serving(site: Site, port: int = 0) -> Iterator[str]:
    """Serve a site until the end of the block and give its address.

    Args:
        site: What is served.
        port: On 127.0.0.1; 0 takes a free one.

    Raises:
        InputError: if the port is in use or not allowed.
    """

    class Handler(_Handler):
        pass

    Handler.site = site
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        why = {errno.EADDRINUSE: "is in use", errno.EACCES: "is not allowed to this user"}
        said = why.get(error.errno or 0, f"cannot be used ({error.strerror})")
        raise InputError(f"port {port} {said}; give another --port, or none for a free one") from error
    chosen = int(server.server_port)
    Handler.names = frozenset(f"{name}:{chosen}" for name in _NAMES)
    if chosen == _HTTP_PORT:  # browsers leave it out
        Handler.names |= frozenset(_NAMES)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{chosen}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

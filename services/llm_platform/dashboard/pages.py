"""The built pages: files whose names hold a hash of their content, and one page for every other path."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from aiohttp import web

from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.dashboard import protection

CHECKOUT = Path(__file__).parents[2] / "web"
NONCE = "%NONCE%"
"""Where the page wants the nonce of its response."""
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_ASSETS = "/assets/"


class Pages:
    """Serves the folder that the build of the pages wrote."""

    def __init__(self, root: Path) -> None:
        """Raises CannotStartError when there are no pages."""
        self._root = root.resolve()
        try:
            self._page = (self._root / "index.html").read_text()
        except OSError:
            raise CannotStartError(
                f"There are no built pages in {root}: build them with `make web`, or set dashboard.web_root."
            ) from None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file; a path of the application; NOT_FOUND for an asset or an operation that is not there."""
        path = request.path
        if path.startswith("/api/"):
            raise PlatformError(Code.NOT_FOUND, "There is nothing at this path.")
        file = self._file(path)
        if file is not None:
            return self._send(request, file, lasting=path.startswith(_ASSETS))
        if path.startswith(_ASSETS) or "." in path.rpartition("/")[2]:
            raise PlatformError(Code.NOT_FOUND, "There is nothing at this path.")
        return self._show_page()

    def _file(self, path: str) -> Path | None:
        if path in ("/", "/index.html"):
            return None
        file = (self._root / path.lstrip("/")).resolve()
        return file if file.is_relative_to(self._root) and file.is_file() else None

    def _send(self, request: web.Request, file: Path, *, lasting: bool) -> web.StreamResponse:
        accepted = request.headers.get("accept-encoding", "")
        encoding, chosen = next(
            (
                (name, packed)
                for name, ending in _ENCODINGS
                if name in accepted and (packed := file.with_name(file.name + ending)).is_file()
            ),
            ("", file),
        )
        headers = {
            "content-type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
            "cache-control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "vary": "accept-encoding",
        }
        if encoding:
            headers["content-encoding"] = encoding
        return web.FileResponse(chosen, headers=headers)

    def _show_page(self) -> web.Response:
        nonce = protection.new_nonce()
        return web.Response(
            text=self._page.replace(NONCE, nonce),
            content_type="text/html",
            headers={"content-security-policy": protection.policy(nonce), "cache-control": "no-store"},
        )

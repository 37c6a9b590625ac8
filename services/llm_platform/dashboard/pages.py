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
    """Serves the folder that the build of the pages wrote, as it was at the start."""

    def __init__(self, root: Path) -> None:
        """Raises CannotStartError when there are no pages."""
        try:
            self._page = (root / "index.html").read_text()
        except OSError:
            raise CannotStartError(
                f"There are no built pages in {root}: build them with `make web`, or set dashboard.web_root."
            ) from None
        self._files = {f"/{file.relative_to(root).as_posix()}": file for file in root.rglob("*") if file.is_file()}
        del self._files["/index.html"]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file; a path of the application; NOT_FOUND for an asset or an operation that is not there."""
        path = request.path
        if path in self._files:
            return self._send(request, path)
        if path.startswith(("/api/", _ASSETS)) or "." in path.rpartition("/")[2]:
            raise PlatformError(Code.NOT_FOUND, "There is nothing at this path.")
        return self._show_page()

    def _send(self, request: web.Request, path: str) -> web.StreamResponse:
        accepted = request.headers.get("accept-encoding", "")
        packed = [(name, path + ending) for name, ending in _ENCODINGS if name in accepted]
        encoding, chosen = next((each for each in packed if each[1] in self._files), ("", path))
        headers = {
            "content-type": mimetypes.guess_type(path)[0] or "application/octet-stream",
            "cache-control": "public, max-age=31536000, immutable" if path.startswith(_ASSETS) else "no-cache",
            "vary": "accept-encoding",
        }
        if encoding:
            headers["content-encoding"] = encoding
        return web.FileResponse(self._files[chosen], headers=headers)

    def _show_page(self) -> web.Response:
        nonce = protection.new_nonce()
        return web.Response(
            text=self._page.replace(NONCE, nonce),
            content_type="text/html",
            headers={"content-security-policy": protection.policy(nonce), "cache-control": "no-store"},
        )

"""The page at ``/``: three files, from the checkout or from the installed package, nothing from anywhere else."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

FILES: Mapping[str, str] = {
    "app.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
# No inline script or style, nothing from another host, in nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}


def page_directory() -> Path:
    """Where the page's files are: inside the package (a wheel), or beside the services (an editable checkout)."""
    packaged = Path(__file__).parent / "web"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "web" / "static"


async def show_page(request: web.Request) -> web.FileResponse:
    return web.FileResponse(page_directory() / "index.html", headers=HEADERS)


async def show_asset(request: web.Request) -> web.FileResponse:
    """One of the files that belong to the page; every other name is not found."""
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    return web.FileResponse(page_directory() / name, headers={**HEADERS, "Content-Type": FILES[name]})

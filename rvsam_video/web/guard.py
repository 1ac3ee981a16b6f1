"""Who may talk to the page: this machine's own browser, or who has the token."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rvsam_video.web.settings import LOOPBACK, WebSettings

TOKEN_COOKIE = "rvsam_token"  # noqa: S105 (the name of a cookie)
_DAY_SECONDS = 24 * 3600

# No sniffing, framing or foreign scripts: file names and errors hold what strangers wrote.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
}


class Guard:
    """Refuses foreign host names, requests sent by other sites' pages, and missing tokens.

    A page of another site can make a browser send requests here; it can neither choose the
    `Origin` header of a request that changes something, nor the `Host` under which a name of its
    own was made to point to this machine.

    Args:
        app: what to protect.
        settings: host names and token.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._token = settings.token
        self._hosts = LOOPBACK | settings.allowed_hosts | {settings.host}
        # Listening on all addresses has no name of its own; the token protects it.
        self._any_host = settings.host in ("0.0.0.0", "::")  # noqa: S104 (only compared)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with one sentence."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(Request(scope))
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        # Without its port: the page may be reached through another one.
        host = _host_in(f"//{request.headers.get('host', '')}")
        if host not in self._hosts and not self._any_host:
            return _refuse(f"the page is not known as {host!r}; open it by its own address")
        origin = request.headers.get("origin")
        # With the port here: another program on this machine is another site.
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            return _refuse("requests of other sites' pages are not taken")
        if request.method not in ("GET", "HEAD") and origin is None:
            # Browsers that send no Origin say this instead; programs such as curl send neither.
            site = request.headers.get("sec-fetch-site", "same-origin")
            if site != "same-origin":
                return _refuse("requests of other sites' pages are not taken")
        return self._check_token(request) if self._token else None

    def _check_token(self, request: Request) -> Response | None:
        expected = (self._token or "").encode()
        given = request.query_params.get("token", "")
        # In constant time: how long a comparison takes must not tell how much was right.
        if given and hmac.compare_digest(given.encode(), expected):
            # Away from the address with the token, which would stay in the history and in copied
            # links. Relative: a proxy may show the page below a path that is not known here.
            response = RedirectResponse("./", 303)
            response.set_cookie(
                TOKEN_COOKIE,
                given,
                max_age=_DAY_SECONDS,
                httponly=True,
                samesite="strict",
            )
            return response
        kept = request.cookies.get(TOKEN_COOKIE, "")
        if hmac.compare_digest(kept.encode(), expected):
            return None
        return _refuse("the token is missing or wrong; open the address that was printed at start")


def _host_in(address: str) -> str:
    """Return the host name of an address; nothing if it makes no sense."""
    try:
        return urlsplit(address).hostname or ""
    # Brackets that are not closed, and the like.
    except ValueError:
        return ""


def _refuse(sentence: str) -> Response:
    return JSONResponse({"error": sentence}, 403)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending

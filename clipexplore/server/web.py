"""What an operator expects of a web server: headers that keep a browser from trusting too much, and answers to "are you well?".

Separate because the app itself knows nothing of HTTP; `serve.py` puts these around it.
"""

from collections.abc import Callable

# Streamlit's frontend evaluates and inlines scripts and styles of its own; nothing may come from, or go to, another host.
POLICY = {
    "default-src": "'self'", "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:", "style-src": "'self' 'unsafe-inline'", "font-src": "'self' data:",
    "img-src": "'self' data: blob:", "media-src": "'self' data: blob:", "connect-src": "'self' ws: wss: blob: data:", "worker-src": "'self' blob:",
    "frame-src": "'self' blob: data:", "object-src": "'none'", "base-uri": "'self'", "form-action": "'self'", "frame-ancestors": "'self'",
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {sources}" for what, sources in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Headers:
    """ASGI middleware: the security headers on every answer."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        from starlette.datastructures import MutableHeaders

        async def send_with_headers(message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def health_routes(ready: Callable[[], bool]) -> list:
    """`/healthz`: the process answers. `/readyz`: 200 once `ready()`, when a first question is answered at once; 503 before."""
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def alive(request):
        return JSONResponse({"status": "ok"})

    async def is_ready(request):
        return JSONResponse({"status": "ready"} if ready() else {"status": "warming up"}, 200 if ready() else 503)

    return [Route("/healthz", alive), Route("/readyz", is_ready)]

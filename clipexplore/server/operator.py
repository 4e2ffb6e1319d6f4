"""The operator's browser: for a day nobody need type the operator code in it again, because it keeps a ticket in a
cookie that no script reads.

A page of Streamlit cannot set cookies: it gives the ticket to the browser of whoever has typed the code, and that
brings it here.
"""

import hmac

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .door import A_DAY, made_from

PATH, HEADER, COOKIE = "/operator", "x-ticket", "clipexplore_operator"


def ticket(code: str) -> str:
    """Made from the operator code, so that a server that was started again still knows its operator."""
    return made_from(code, "operator")


def is_ticket(given: str, code: str) -> bool:
    """Whether a browser was given this by the operator of that code; nothing is where there is no code."""
    return bool(code) and hmac.compare_digest(given.encode("utf-8", "replace"), ticket(code).encode())


def operator_route(code: str, secure: bool = False) -> Route:
    """`/operator`: who brings the ticket keeps it from then on, and gives it back with `DELETE`.

    Parameters
    ----------
    secure
        As of `Door`.
    """

    async def keep(request: Request) -> Response:
        answer = Response(status_code=204)
        if request.method == "DELETE":
            answer.delete_cookie(COOKIE)
        elif is_ticket(given := request.headers.get(HEADER, ""), code):
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict", secure=secure, max_age=A_DAY)
        else:
            return Response(status_code=403)
        return answer

    return Route(PATH, keep, methods=["POST", "DELETE"])

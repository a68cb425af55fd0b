"""Who looks at the page: a random token in a cookie, or, without one, the browser session.

Nothing is known of a visitor but the token, which says whose jobs are whose.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable

import streamlit as st

COOKIE = "dqviz_visitor"
YEAR_SECONDS = 365 * 24 * 3600

_USER = "_user"
_SET = (
    "<script>document.cookie = '{name}={value}; path=/; max-age={seconds}; samesite=strict'"
    "</script>"
)


@dataclasses.dataclass(frozen=True)
class Visit:
    """One open page of a visitor: whose it is, and a token of its own."""

    user: str
    token: str

    def channel(self, what: str) -> str:
        """What this page asks the engine for, told apart from the visitor's other pages."""
        return f"{what} {self.token}"


_leave: list[Callable[[Visit], None]] = []


def on_leave(call: Callable[[Visit], None]) -> None:
    """Has something called whenever a visitor has left a page."""
    if call not in _leave:
        _leave.append(call)


def _left(visit: Visit) -> None:
    for call in _leave:
        call(visit)


@st.cache_resource(scope="session", on_release=_left, show_spinner=False)
def visit() -> Visit:
    """This open page, until it is closed."""
    return Visit(user(), secrets.token_hex(8))


def user() -> str:
    """The token of this visitor: 32 hexadecimal digits."""
    if _USER not in st.session_state:
        given = str(st.context.cookies.get(COOKIE))
        known = re.fullmatch(r"[0-9a-f]{32}", given) is not None
        st.session_state[_USER] = given if known else secrets.token_hex(16)
    token: str = st.session_state[_USER]
    return token


def remember() -> None:
    """Sets the cookie in a browser that has none yet. A browser that takes none stays as it is."""
    if st.context.cookies.get(COOKIE) != user():
        script = _SET.format(name=COOKIE, value=user(), seconds=YEAR_SECONDS)
        st.html(script, unsafe_allow_javascript=True)

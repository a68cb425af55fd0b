"""What belongs to one visitor: a random token, uploads, and what a link asked for in vain."""

from __future__ import annotations

import secrets

import streamlit as st

from dqviz.specs import ModelSpec
from dqviz.ui.settings import Settings

_OWNER = "_owner"
_UPLOADS = "_uploads"
_SETTINGS = "_settings"


def owner() -> str:
    """The token under which this visitor's requests replace one another."""
    token: str = st.session_state.setdefault(_OWNER, secrets.token_hex(8))
    return token


def uploads() -> dict[str, ModelSpec]:
    """The networks this visitor has uploaded, by the name shown; the dictionary may be changed."""
    found: dict[str, ModelSpec] = st.session_state.setdefault(_UPLOADS, {})
    return found


def keep(settings: Settings) -> None:
    """Remembers the sidebar's state for the page that is drawn next."""
    st.session_state[_SETTINGS] = settings


def settings() -> Settings:
    """What the sidebar says in this run."""
    current: Settings = st.session_state[_SETTINGS]
    return current

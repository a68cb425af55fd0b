"""The story in one screen."""

import streamlit as st

from dqviz.ui import session

settings = session.settings(__file__)
st.title("playground")

"""The words used on the other pages."""

import streamlit as st

from dqviz.ui import session
from dqviz.ui.glossary import GLOSSARY

session.begin(__file__)
st.title("Glossary", anchor=False)
for term in GLOSSARY:
    with st.container(border=True, gap="xsmall"):
        st.subheader(term.name, anchor=False)
        st.write(term.meaning)
        if term.formula:
            st.latex(term.formula)

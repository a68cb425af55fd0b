"""The paper: its claims, each put to the test on the shipped networks."""

import streamlit as st

from dqviz.ui import controls, paper, session

session.begin(__file__)
st.title("The paper's claims, put to the test", anchor=False)
st.caption(paper.WHAT)
again = controls.switch("Compute again on this machine", key="afresh", help=paper.AGAIN_HELP)
findings = (paper.computed() if again else None) or paper.shipped()
if findings is None:
    st.info(paper.NOTHING, icon=":material/info:")
else:
    paper.draw(findings)
with st.expander("The rule of the verdicts", icon=":material/rule:"):
    st.markdown(paper.RULE)

"""Jobs: what takes long, how far it is, and where its picture is to be seen."""

import streamlit as st

from dqviz.ui import job_list, session

session.begin(__file__)
st.title("Jobs", anchor=False)
st.caption(job_list.WHAT)
job_list.draw()

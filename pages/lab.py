"""The DQ laboratory: train a network with and without the penalty, and watch it."""

import streamlit as st

from dqviz.ui import lab, lab_form, session

session.begin(__file__)
st.title("DQ laboratory", anchor=False)
st.caption(lab.WHAT)
lab_form.form()
lab.draw()

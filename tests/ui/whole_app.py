"""The app's router, run from a folder without `pages/`: AppTest forgets that st.navigation ran."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[2] / "app.py"))

"""The app over an engine that computes nothing: `streamlit run tests/browser/fake_app.py`."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dqviz.ui import choices, jobs  # noqa: E402
from tests.ui.fake_engine import NETWORKS, FakeEngine  # noqa: E402

jobs.make_engine = FakeEngine
choices.shipped_ids = lambda: NETWORKS
runpy.run_path(str(ROOT / "app.py"))

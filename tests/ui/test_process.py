"""What the browser pages' process holds: no network, whatever page is drawn."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EVERY_PAGE = """
import sys
from streamlit.testing.v1 import AppTest

app = AppTest.from_file(sys.argv[1], default_timeout=120).run()
for page in ("playground", "amplification", "lipschitz", "glossary"):
    app.switch_page(f"../../pages/{page}.py").run()
    assert not app.exception and app.subheader, page
import dqviz.experiments.engine
print("loaded:", sorted({"torch", "torchvision"} & set(sys.modules)))
"""


def test_no_page_brings_torch_into_streamlits_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EVERY_PAGE, str(ROOT / "tests/browser/fake_app.py")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DQVIZ_DATA": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"

"""In continuous integration a skipped test is a failure, whatever skips it."""

import os
import re
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = {
    "mark": "@pytest.mark.skip(reason='marked')\ndef test(): pass",
    "condition": "@pytest.mark.skipif(True, reason='conditional')\ndef test(): pass",
    "body": "def test(): pytest.skip('in the body')",
    "fixture": "@pytest.fixture\ndef f(): pytest.skip('in a fixture')\n\ndef test(f): pass",
    "import": "pytest.importorskip('no_such_module')\n\ndef test(): pass",
    "module": "pytest.skip('all of it', allow_module_level=True)",
}
UNPUBLISHED = "def test(shared_folder): pass"
QUIET = ["-q", "-ra", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:playwright"]


def outcome(folder, ci):
    """What pytest says of each of the tests above, in a folder with this suite's conftest."""
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    for name, source in {**TESTS, "unpublished": UNPUBLISHED}.items():
        (folder / f"test_{name}.py").write_text(f"import pytest\n\n{source}\n", encoding="utf-8")
    environment = {**os.environ, "CI": ci, "DQVIZ_DEV_SHARED": str(folder / "none")}
    command = [sys.executable, "-m", "pytest", *QUIET, "--continue-on-collection-errors"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_skip_is_a_failure_there_but_for_files_that_are_not_published(tmp_path):
    status, said = outcome(tmp_path, "true")
    assert status == 1
    bad = re.findall(r"^(?:FAILED|ERROR) test_(\w+)\.py.* - skipped, and CI=true", said, flags=re.M)
    assert sorted(bad) == sorted(TESTS), said
    assert "1 skipped" in said


def test_a_skip_is_one_elsewhere(tmp_path):
    status, said = outcome(tmp_path, "")
    assert (status, f"{len(TESTS) + 1} skipped" in said) == (0, True), said

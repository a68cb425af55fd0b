"""A Streamlit server of our own on a free port, and how the browser is started."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--no-first-run"]


@contextlib.contextmanager
def running_server(script, folder, *, cwd=ROOT, **environment):
    """Serves a script on a free port of the loopback address; gives the address.

    `folder` takes the server's data and its log. Streamlit reads its configuration from `cwd`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    command += ["--server.fileWatcherType", "none", "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false"]
    log = Path(folder) / f"server-{port}.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env={**os.environ, "DQVIZ_DATA": str(folder), **environment},
        )
        try:
            if not any("URL:" in line for line in server.stdout):
                raise RuntimeError(f"the server did not start: {log.read_text()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.communicate(timeout=30)

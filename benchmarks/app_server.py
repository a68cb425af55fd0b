"""The app as a server without any browser: a study is asked for, and the server can be killed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dqviz.jobs.folder import JobFolder
from dqviz.jobs.record import OPEN, Record, read_record

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0


class AppServer:
    """A server whose data folder holds one study, which its first visitor has it go on with.

    It stands for a sweep: `poll`, `wait` and `pid` are as those of a process that ends with the
    study. What the processor gains is taken over from `cache`: measured anew in another folder, it
    could decide for another arithmetic, which has other numbers.
    """

    def __init__(
        self, folder: Path, grid: str, *, store: str, environment: dict[str, str], cache: Path
    ) -> None:
        self._folder = folder
        (folder / "cache").mkdir(parents=True, exist_ok=True)
        for file in cache.glob("attack-speeds-*.json"):
            shutil.copy(file, folder / "cache")
        jobs = JobFolder(folder / "jobs")
        if not jobs.load():
            address = ("studies", ())
            record = Record(user="f" * 32, title="", address=address, grid=grid, store=store)
            jobs.save(record)
        jobs.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
        self._process = subprocess.Popen(
            [*command, "--server.port", str(self._port), "--server.headless", "true"],
            cwd=ROOT,
            env={**environment, "DQVIZ_DATA": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        self._visit()

    def poll(self) -> int | None:
        """0 once the study is over; the server's own code if that has ended."""
        ended = self._process.poll()
        if ended is not None:
            return ended
        over = self._state() != OPEN
        if over:
            self._process.kill()
            self._process.wait()
        return 0 if over else None

    def wait(self) -> int:
        """Waits until `poll` says something."""
        while (code := self.poll()) is None:
            time.sleep(0.05)
        return code

    def _state(self) -> str:
        (file,) = (self._folder / "jobs").glob("*.json")
        return read_record(file.read_text(encoding="utf-8")).state

    def _visit(self) -> None:
        """Opens a page as a browser does, and leaves it."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/_stcore/health"):
                    break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        # In a thread of its own: whoever calls may have a loop that runs already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self._run_script()).result()

    async def _run_script(self) -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from tornado.websocket import websocket_connect

        address = f"ws://127.0.0.1:{self._port}/_stcore/stream"
        connection = await websocket_connect(address, subprotocols=["streamlit"])
        message = BackMsg()
        message.rerun_script.query_string = ""
        await connection.write_message(message.SerializeToString(), binary=True)
        while True:
            answer = await connection.read_message()
            if not isinstance(answer, bytes):
                break
            if ForwardMsg.FromString(answer).WhichOneof("type") == "script_finished":
                break
        connection.close()
        while await connection.read_message() is not None:
            pass  # until the server has closed its end too

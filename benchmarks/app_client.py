"""A viewer of the web app without a browser: what the page's own script would send and get.

It speaks Streamlit's own messages over the websocket: it opens a page, uploads files, sets
widgets, and asks for the fragments that update themselves as often as the app wants. The app
can't tell it from a browser, so its work for the viewer is the same; drawing the page is left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLs, UploadedFileInfo
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import connect

XSRF_COOKIE = "_streamlit_xsrf"
PATIENCE_S = 60.0


@contextmanager
def served_app(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """`moodlens app` on loopback: its address and the number of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        log_path = Path(folder) / "app.log"
        home = {"MOODLENS_DATABASE_URL": f"sqlite:///{folder}/history.sqlite"}
        with log_path.open("w") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "moodlens", "app", "--port", str(port)],
                env={**os.environ, **home, **environment},
                stdout=log,
                stderr=log,
            )
            try:
                _await_start(child, address, log_path)
                yield address, child.pid
            finally:
                child.terminate()
                child.wait(30)


def _await_start(child: subprocess.Popen[bytes], address: str, log_path: Path) -> None:
    for _ in range(240):
        if child.poll() is not None:
            sys.exit(f"the app ended: {log_path.read_text()}")
        try:
            with urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("the app did not start")


class AppSession:
    """One viewer's session. Use as `async with AppSession(address, page) as session`."""

    def __init__(self, address: str, page: str) -> None:
        """`address` such as http://127.0.0.1:8501; `page` such as live; empty for the first one."""
        self._address = address
        self._page = page
        self._page_hash = ""
        self._session_id = ""
        self._widgets: dict[str, WidgetState] = {}
        self._urls: dict[str, FileURLs] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self.elements: dict[tuple[int, ...], Element] = {}
        """What the page shows, by its place in it; what a later run left out stays here."""
        self.finished = 0
        """Script runs that have ended, those of fragments included."""

    async def __aenter__(self) -> AppSession:
        self._http = httpx.AsyncClient(base_url=self._address, timeout=PATIENCE_S)
        await self._http.get("/_stcore/health")  # brings the cookie that an upload must show
        stream = f"{self._address.replace('http', 'ws', 1)}/_stcore/stream"
        protocol: Any = "streamlit"
        self._socket = await connect(stream, subprotocols=[protocol], max_size=None)
        self._tasks["read"] = asyncio.create_task(self._read())
        await self.rerun()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._socket.close()
        await self._http.aclose()

    async def rerun(self, fragment_id: str = "") -> None:
        """Ask for a run of the page's script, or of one of its fragments."""
        state = ClientState(
            page_name="" if self._page_hash else self._page,
            page_script_hash=self._page_hash,
            fragment_id=fragment_id,
            is_auto_rerun=bool(fragment_id),
            widget_states=WidgetStates(widgets=self._widgets.values()),
        )
        await self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def set_json(self, widget_id: str, value: Any) -> None:
        """Give a component's value, and run the page."""
        self._widgets[widget_id] = WidgetState(id=widget_id, json_value=json.dumps(value))
        await self.rerun()

    async def upload(self, name: str, data: bytes) -> None:
        """Give a file to the page's uploader, and run the page."""
        uploader = (await self.find("file_uploader")).file_uploader
        ask = BackMsg()
        ask.file_urls_request.request_id = str(uuid.uuid4())
        ask.file_urls_request.file_names.append(name)
        ask.file_urls_request.session_id = self._session_id
        await self._socket.send(ask.SerializeToString())
        request_id = ask.file_urls_request.request_id
        await self.until(lambda: request_id in self._urls, "an address to upload to")
        urls = self._urls[request_id]
        answer = await self._http.put(
            urls.upload_url,
            files={"file": (name, data, "image/png")},
            headers={"X-Xsrftoken": self._http.cookies.get(XSRF_COOKIE) or ""},
        )
        answer.raise_for_status()
        info = UploadedFileInfo(name=name, size=len(data), file_id=urls.file_id, file_urls=urls)
        self._widgets[uploader.id] = WidgetState(
            id=uploader.id,
            file_uploader_state_value=FileUploaderState(uploaded_file_info=[info]),
        )
        await self.rerun()

    async def find(self, kind: str, fits: Callable[[Element], bool] = bool) -> Element:
        """The first element of a kind on the page, as soon as there is one.

        Raises:
            TimeoutError: there is none in time.
        """

        def there() -> list[Element]:
            return [e for e in self.elements.values() if e.WhichOneof("type") == kind and fits(e)]

        await self.until(there, kind)
        return there()[0]

    async def until(self, true: Callable[[], Any], what: str) -> None:
        """Wait for something that a message brings.

        Raises:
            TimeoutError: not in time. ConnectionError: the app has closed the session.
        """
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                if self._tasks["read"].done():
                    raise ConnectionError(f"the app closed the session; waited for {what}")
                self._news.clear()
                await self._news.wait()

    async def _read(self) -> None:
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self._take(ForwardMsg.FromString(data))
                self._news.set()
        finally:
            self._news.set()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._session_id = message.new_session.initialize.session_id
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.elements[tuple(message.metadata.delta_path)] = message.delta.new_element
        elif kind == "auto_rerun":
            wanted = message.auto_rerun
            if wanted.fragment_id not in self._tasks:
                task = asyncio.create_task(self._again(wanted.fragment_id, wanted.interval))
                self._tasks[wanted.fragment_id] = task
        elif kind == "file_urls_response":
            answer = message.file_urls_response
            self._urls[answer.response_id] = answer.file_urls[0]
        elif kind == "script_finished":
            self.finished += 1

    async def _again(self, fragment_id: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.rerun(fragment_id)

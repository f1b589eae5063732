"""A real YAML language server, spoken to as an editor does: JSON-RPC over its stdin and stdout (LSP 3.17)."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS = 30


class YamlServer:
    """Runs while entered. `settings` are those of the editor; files are shown to it by `show`."""

    def __init__(self, program: str, root: Path, settings: dict[str, Any] | None = None) -> None:
        self._root = root
        self._settings = {"yaml": {"validate": True, "hover": True, "completion": True, **(settings or {})}}
        self._process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answers: dict[int, queue.Queue[Any]] = {}
        self._findings: dict[str, queue.Queue[list[Any]]] = {}
        self._last = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        self.ask("initialize", {"processId": None, "rootUri": self._root.as_uri(), "capabilities": _CAPABLE})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def show(self, path: Path, text: str) -> list[str]:
        """Open the file with this text; what the server finds wrong with it."""
        uri = path.as_uri()
        found = self._findings.setdefault(uri, queue.Queue())
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return [problem["message"] for problem in found.get(timeout=SECONDS)]

    def completions(self, path: Path, line: int, character: int) -> dict[str, Any]:
        """What is offered there: label → item."""
        answer = self.ask("textDocument/completion", _at(path, line, character))
        return {item["label"]: item for item in (answer["items"] if isinstance(answer, dict) else answer)}

    def hover(self, path: Path, line: int, character: int) -> str:
        """What is shown where the mouse rests there."""
        answer = self.ask("textDocument/hover", _at(path, line, character))
        contents = answer["contents"] if answer else ""
        return contents["value"] if isinstance(contents, dict) else str(contents)

    def ask(self, method: str, parameters: Any) -> Any:
        self._last += 1
        waiting = self._answers[self._last] = queue.Queue()
        self._send({"id": self._last, "method": method, "params": parameters})
        return waiting.get(timeout=SECONDS)

    def _tell(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while head := stream.readline():
            length = int(head.split(b":")[1])
            while stream.readline().strip():
                pass
            self._take(json.loads(stream.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            found = message["params"]
            self._findings.setdefault(found["uri"], queue.Queue()).put(found["diagnostics"])
        elif method == "workspace/configuration":
            wanted = message["params"]["items"]
            self._send({"id": message["id"], "result": [self._settings.get(one.get("section")) for one in wanted]})
        elif method is not None and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif method is None:
            self._answers[message["id"]].put(message.get("result"))


_CAPABLE = {
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True}},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {},
    },
    "workspace": {"configuration": True},
}


def _at(path: Path, line: int, character: int) -> dict[str, Any]:
    """Lines and characters counted from 0."""
    return {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": character}}

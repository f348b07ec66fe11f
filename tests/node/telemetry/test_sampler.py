"""Reports of how a machine is and what is installed on it."""

import http.server
import os
import threading
from pathlib import Path

import pytest

from instar.node.telemetry import installed
from instar.node.telemetry.installed import Installed, ollama, version_of
from instar.node.telemetry.sampler import Sampler

PATH = os.environ["PATH"]


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_a_report_measures_this_machine(tmp_path: Path):
    script(tmp_path, "claude", "echo '2.1.7 (Claude Code)'")
    sampler = Sampler(
        {"OPENAI_API_KEY": "sk-secret", "OLLAMA_HOST": "elsewhere"}, str(tmp_path), calls_running=lambda: 3
    )
    report = await sampler.report()
    assert report.cpu_count == len(report.cpu_percents) > 0
    assert 0 < report.memory_available_bytes <= report.memory_total_bytes
    assert report.disks[0].mount == "/"
    assert report.uptime_s > 0
    assert report.calls_running == 3
    assert [(each.name, each.version) for each in report.agents] == [("claude", "2.1.7")]
    assert [each.name for each in report.providers] == ["openai"]
    assert "secret" not in str(report)
    assert (await sampler.report()).taken_at > report.taken_at


async def test_programs_are_asked_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(installed, "VERSION_S", 0.2)
    slow = script(tmp_path, "node", "sleep 30")
    assert await version_of(str(slow), "-v", PATH) == ""
    assert await version_of(str(tmp_path / "missing"), "-v", PATH) == ""
    assert await version_of(str(script(tmp_path, "x", "echo none; exit 3")), "-v", PATH) == ""
    leaky = script(tmp_path, "y", 'echo "9.9.$(env | wc -l)"; env | grep -c SECRET')
    monkeypatch.setenv("SECRET_TOKEN", "1")
    assert (await version_of(str(leaky), "-v", PATH)).startswith("9.9.")


async def test_what_takes_too_long_comes_with_the_next_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(installed, "ASKING_S", -1.0)
    script(tmp_path, "node", "echo v20.1.0")
    found = Installed({"OLLAMA_HOST": "elsewhere"}, str(tmp_path))
    assert [(each.name, each.version) for each in (await found.found()).runtimes] == [("Node.js", "")]
    monkeypatch.setattr(installed, "ASKING_S", 5.0)
    assert [each.version for each in (await found.found()).runtimes] == ["20.1.0"]
    script(tmp_path, "ruby", "echo ruby 3.3.0")
    assert len((await found.found()).runtimes) == 1


class Models(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"models": [{"name": "llama3:8b"}, {"name": ""}, 7]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        return


async def test_ollama_names_its_models():
    with http.server.HTTPServer(("127.0.0.1", 0), Models) as server:
        port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found = (await Installed({"OLLAMA_HOST": f"http://127.0.0.1:{port}/"}, "").found()).providers
        server.shutdown()
        thread.join()
    assert [(each.name, each.models) for each in found] == [("ollama", ["llama3:8b"])]
    assert ollama(1) == []

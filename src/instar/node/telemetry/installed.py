"""What is installed on this machine: runtimes and agent programs with their versions, and providers of models.

Of a provider's key only that there is one is ever said. Programs are asked for their version one at a time, with a
time limit, with nothing on their input, and in an environment that holds no secret.
"""

import asyncio
import http.client
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from instar.wire.nodes import Provider, Runtime

PROGRAMS_KEEP_S = 600.0
"""How long versions are believed."""
PROVIDERS_KEEP_S = 60.0
VERSION_S = 5.0
"""The longest that a program may take to say its version."""
ASKING_S = 3.0
"""One report waits no longer than this for versions; the others come with the next one."""
OLLAMA_S = 3.0
OLLAMA_PORT = 11_434
_HOME = str(Path.home())
_ANSWER_MAX_BYTES = 1_048_576
_MODELS_MAX = 256
_NAME_MAX_CHARS = 128
_VERSION = re.compile(r"\d+(?:\.\d+)+(?:[-+._]?[0-9A-Za-z]+)*")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Program(NamedTuple):
    name: str
    """What people call it."""
    commands: Sequence[str]
    """Names on the PATH; the first that is there is it."""
    argument: str = "--version"


RUNTIMES = (
    _Program("Python", ("python3", "python"), "-V"),
    _Program("Node.js", ("node",), "-v"),
    _Program("Ruby", ("ruby",), "-v"),
    _Program("Go", ("go",), "version"),
    _Program("Rust", ("rustc",), "-V"),
    _Program("Java", ("java",), "-version"),
    _Program("Deno", ("deno",)),
    _Program("Bun", ("bun",)),
    _Program("PHP", ("php",)),
    _Program(".NET", ("dotnet",)),
    _Program("Docker", ("docker",)),
)
AGENTS = tuple(
    _Program(name, (name,))
    for name in (
        "claude", "codex", "gemini", "openclaw", "opencode", "aider", "goose", "amp", "copilot", "crush",
        "cursor-agent", "moltis", "qwen",
    )
)  # fmt: skip
KEYS = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GOOGLE_API_KEY": "google",
    "GEMINI_API_KEY": "google",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
    "TOGETHER_API_KEY": "together",
    "OPENROUTER_API_KEY": "openrouter",
    "DEEPSEEK_API_KEY": "deepseek",
    "XAI_API_KEY": "xai",
}
"""Variable → the provider that it is a key of."""


class Found(NamedTuple):
    """What is installed."""

    runtimes: list[Runtime]
    agents: list[Runtime]
    providers: list[Provider]


class Installed:
    """Looks for programs and providers, and remembers what it found for a while.

    Args:
        environ: The node's own environment, for the names of keys.
        path_env: Where programs are looked for.
    """

    def __init__(self, environ: Mapping[str, str], path_env: str) -> None:
        self._path_env = path_env
        self._keyed = [Provider(name) for name in dict.fromkeys(KEYS[key] for key in KEYS if environ.get(key))]
        self._port = _ollama_port(environ.get("OLLAMA_HOST", ""))
        self._programs: tuple[list[Runtime], list[Runtime]] = ([], [])
        self._programs_until = 0.0
        self._ollama: list[Provider] = []
        self._ollama_until = 0.0
        self._versions: dict[tuple[str, int], str] = {}
        self._asks_until = 0.0
        self._is_late = False

    async def found(self) -> Found:
        """Return what is installed. It never raises: what cannot be asked is left without a version."""
        now = time.monotonic()
        if now >= self._programs_until:
            self._asks_until, self._is_late = now + ASKING_S, False
            self._programs = await self._look(RUNTIMES), await self._look(AGENTS)
            self._programs_until = now if self._is_late else now + PROGRAMS_KEEP_S
        if now >= self._ollama_until:
            self._ollama = await asyncio.to_thread(ollama, self._port) if self._port else []
            self._ollama_until = now + PROVIDERS_KEEP_S
        return Found(*self._programs, self._ollama + self._keyed)

    async def _look(self, programs: Iterable[_Program]) -> list[Runtime]:
        found: list[Runtime] = []
        for program in programs:
            paths = (shutil.which(command, path=self._path_env) for command in program.commands)
            path = next((path for path in paths if path), None)
            if path is not None:
                found.append(Runtime(program.name, await self._version(path, program.argument), path))
        return found

    async def _version(self, path: str, argument: str) -> str:
        """Return a program's version; one that did not change since is not asked again."""
        try:
            known = (path, os.stat(path).st_mtime_ns)  # noqa: PTH116 - beside its time
        except OSError:
            return ""
        if known not in self._versions:
            if time.monotonic() > self._asks_until:
                self._is_late = True
                return ""
            self._versions[known] = await version_of(path, argument, self._path_env)
        return self._versions[known]


async def version_of(path: str, argument: str, path_env: str) -> str:
    """Return the version that a program says of itself; empty when it says none within `VERSION_S`."""
    environment = {"PATH": path_env, "HOME": _HOME, "LANG": "C.UTF-8", "TERM": "dumb"}
    try:
        child = await asyncio.create_subprocess_exec(
            path, argument,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment, start_new_session=True, cwd="/",
        )  # fmt: skip
    except (OSError, ValueError):
        return ""
    assert child.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(VERSION_S):
            said = await child.stdout.read(4_096)
            await child.wait()
    except TimeoutError:
        pass
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await asyncio.shield(child.wait())
    match = _VERSION.search(said.decode(errors="replace"))
    return match[0][:_NAME_MAX_CHARS] if match else ""


def ollama(port: int) -> list[Provider]:
    """Ask Ollama on this machine for its models; return nothing where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=OLLAMA_S)
    try:
        connection.request("GET", "/api/tags")
        answer: Any = msgspec.json.decode(connection.getresponse().read(_ANSWER_MAX_BYTES))
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return []
    finally:
        connection.close()
    listed = _objects(next((each.get("models") for each in _objects([answer])), None))
    models = [str(each.get("name", ""))[:_NAME_MAX_CHARS] for each in listed[:_MODELS_MAX]]
    return [Provider("ollama", [name for name in models if name], f"http://127.0.0.1:{port}")]


def _objects(value: object) -> list[dict[str, Any]]:
    rows = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", each) for each in rows if isinstance(each, dict)]


def _ollama_port(host: str) -> int:
    """Return where Ollama listens on this machine; 0: elsewhere, where it is not asked."""
    host = host.rsplit("://", maxsplit=1)[-1].rstrip("/")
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
    if name and name not in (*_LOOPBACK, "0.0.0.0"):  # noqa: S104 - what people set to listen everywhere
        return 0
    return int(port) if port.isdigit() and 0 < int(port) < 65_536 else OLLAMA_PORT

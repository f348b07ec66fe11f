"""The console's files: caching, views, encodings, containment."""

from pathlib import Path

import pytest

from instar.server.console import Console

from .conftest import running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = tmp_path / "console_files"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html>index")
    (built / "index.html.gz").write_bytes(b"gzipped")
    (built / "assets" / "main-B3x_9aZq.js").write_text("script")
    (built / "assets" / "main-B3x_9aZq.js.br").write_bytes(b"brotli")
    (built / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return built


async def test_files_and_views(folder: Path) -> None:
    async with running(Console(folder)) as hub:
        for path in ("", "index.html", "room/general", "room/v1.2", "a.b/c"):
            page = await hub.get(f"/console/{path}")
            assert (page.status, page.body) == (200, b"<!doctype html>index"), path
            assert page.headers["cache-control"] == "no-cache"
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "default-src 'self'" in page.headers["content-security-policy"]
            assert "unsafe" not in page.headers["content-security-policy"]
        script = await hub.get("/console/assets/main-B3x_9aZq.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["content-type"].startswith("text/javascript")
        assert (await hub.get("/console/favicon.svg")).headers["cache-control"] == "no-cache"
        moved = await hub.get("/console")
        assert (moved.status, moved.headers["location"]) == (308, "/console/")
        assert (await hub.get("/elsewhere")).status == 404
        assert (await hub.get("/console/missing.js")).status == 404
        assert (await hub.post("/console/", b"")).status == 405
        async with await hub.connect() as raw:
            raw.send(b"HEAD /console/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await raw.answer(is_head=True)).headers["content-length"] == "20"


async def test_encodings_and_etags(folder: Path) -> None:
    async with running(Console(folder)) as hub:
        script = "/console/assets/main-B3x_9aZq.js"
        assert (await hub.get(script, Accept_Encoding="gzip, br")).headers["content-encoding"] == "br"
        assert (await hub.get(script, Accept_Encoding="br;q=0, gzip")).body == b"script"
        page = await hub.get("/console/", Accept_Encoding="gzip")
        assert page.body == b"gzipped"
        assert page.headers["vary"] == "accept-encoding"
        again = await hub.get("/console/", If_None_Match=page.headers["etag"])
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/console/../secret.txt", "/console/%2e%2e/secret.txt", "/console/..%2fsecret.txt", "/console/%2fetc/passwd.x",
        "/console/assets/../../secret.txt", "/console/..\\secret.txt", "/console/%00.js", "/console/index.html.gz",
    ],
)  # fmt: skip
async def test_nothing_outside_the_build_can_be_asked_for(folder: Path, path: str) -> None:
    async with running(Console(folder)) as hub:
        answer = await hub.get(path)
        assert answer.status == 404
        assert b"secret\n" not in answer.body


async def test_a_console_that_was_not_built_says_so(tmp_path: Path) -> None:
    console = Console(tmp_path / "missing")
    assert not console.is_built
    async with running(console) as hub:
        page = await hub.get("/console/")
        assert page.status == 404
        assert b"make console" in page.body

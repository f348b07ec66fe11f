"""The repository keeps its promises: floors, no host names in locks, no broken links, no build output."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_floors_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_locks_name_no_host() -> None:
    locks = [*(ROOT / "locks").iterdir(), ROOT / "console" / "package-lock.json"]
    for lock in locks:
        named = [line for line in lock.read_text().splitlines() if re.search(r'"resolved"|index-url|registry', line)]
        assert named == [], f"{lock.name} names a host"


@pytest.mark.parametrize("page", [path for path in TRACKED if path.suffix == ".md" and path.exists()], ids=str)
def test_links_in_pages_resolve(page: Path) -> None:
    broken = [
        target
        for target in LINK.findall(page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert broken == []


def test_build_output_is_not_committed() -> None:
    assert [path for path in TRACKED if "console_files" in path.parts or "node_modules" in path.parts] == []

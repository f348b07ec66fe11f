"""A disk that forgets what was not synced: a FUSE file system in memory, for power cuts.

Each file has a volatile copy, which every read sees, and a durable one; `fsync` copies the first to the second. A file
is durable under its name once its directory was synced or the file itself was. SIGUSR1 writes the durable copies into
the output folder, as a machine would find them after a power cut.

    python -m faults.lossy_disk MOUNT_POINT OUTPUT_FOLDER
"""

import errno
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import mfusepy as fuse

BLOCK_BYTES = 4096


class Node:
    """A file or folder."""

    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.volatile = bytearray()
        self.durable: bytes | None = None
        self.changed_at = time.time_ns()


class LossyDisk(fuse.Operations):
    """The file system. Its mutex is held by each call: the dump sees no half of a write."""

    use_ns = True

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self.nodes: dict[str, Node] = {"/": Node(stat.S_IFDIR | 0o700)}
        self._handles = 0

    def _node(self, path: str) -> Node:
        node = self.nodes.get(path)
        if node is None:
            raise fuse.FuseOSError(errno.ENOENT)
        return node

    def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:  # noqa: ANN401, ARG002
        with self._mutex:
            node = self._node(path)
            size = len(node.volatile)
            return {
                "st_mode": node.mode,
                "st_nlink": 1,
                "st_size": size,
                "st_blocks": -(-size // 512),
                "st_uid": os.getuid(),
                "st_gid": os.getgid(),
                "st_mtime": node.changed_at,
                "st_ctime": node.changed_at,
                "st_atime": node.changed_at,
            }

    def readdir(self, path: str, fh: Any) -> list[str]:  # noqa: ANN401, ARG002
        with self._mutex:
            prefix = path.rstrip("/") + "/"
            names = {each[len(prefix) :] for each in self.nodes if each.startswith(prefix) and each != "/"}
            return [".", "..", *sorted(name for name in names if "/" not in name)]

    def mkdir(self, path: str, mode: int) -> int:
        with self._mutex:
            self.nodes[path] = Node(stat.S_IFDIR | mode)
        return 0

    def rmdir(self, path: str) -> int:
        with self._mutex:
            del self.nodes[path]
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ANN401, ARG002
        with self._mutex:
            self.nodes[path] = Node(stat.S_IFREG | mode)
            self._handles += 1
            return self._handles

    def open(self, path: str, flags: int) -> int:
        with self._mutex:
            node = self._node(path)
            if flags & os.O_TRUNC:
                node.volatile = bytearray()
            self._handles += 1
            return self._handles

    def read(self, path: str, size: int, offset: int, fh: Any) -> bytes:  # noqa: ANN401, ARG002
        with self._mutex:
            return bytes(self._node(path).volatile[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: Any) -> int:  # noqa: ANN401, ARG002
        with self._mutex:
            node = self._node(path)
            if len(node.volatile) < offset:
                node.volatile.extend(bytes(offset - len(node.volatile)))
            node.volatile[offset : offset + len(data)] = data
            node.changed_at = time.time_ns()
            return len(data)

    def truncate(self, path: str, length: int, fh: Any = None) -> int:  # noqa: ANN401, ARG002
        with self._mutex:
            node = self._node(path)
            del node.volatile[length:]
            node.volatile.extend(bytes(length - len(node.volatile)))
            node.changed_at = time.time_ns()
        return 0

    def fsync(self, path: str, datasync: int, fh: Any) -> int:  # noqa: ANN401, ARG002
        with self._mutex:
            node = self._node(path)
            node.durable = bytes(node.volatile)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: Any) -> int:  # noqa: ANN401, ARG002
        return 0

    def unlink(self, path: str) -> int:
        with self._mutex:
            self._node(path)
            del self.nodes[path]
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:  # noqa: ARG002
        with self._mutex:
            self._node(old)
            for path in [each for each in self.nodes if each == old or each.startswith(old + "/")]:
                self.nodes[new + path[len(old) :]] = self.nodes.pop(path)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        with self._mutex:
            node = self._node(path)
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:  # noqa: ARG002
        return 0

    def utimens(self, path: str, times: Any = None) -> int:  # noqa: ANN401, ARG002
        return 0

    def statfs(self, path: str) -> dict[str, int]:  # noqa: ARG002
        blocks = 1 << 18
        return {
            "f_bsize": BLOCK_BYTES,
            "f_frsize": BLOCK_BYTES,
            "f_blocks": blocks,
            "f_bfree": blocks,
            "f_bavail": blocks,
        }

    def dump(self, folder: Path) -> None:
        """Write the durable copies, as they would be found after a power cut; shared memory never survives one."""
        with self._mutex:
            for path, node in self.nodes.items():
                target = folder / path.lstrip("/")
                if stat.S_ISDIR(node.mode):
                    target.mkdir(parents=True, exist_ok=True)
                elif node.durable is not None and not path.endswith("-shm"):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(node.durable)
                    target.chmod(stat.S_IMODE(node.mode))


def main() -> None:
    """Mount until unmounted."""
    mount_point, output = sys.argv[1], Path(sys.argv[2])
    disk = LossyDisk()

    def cut() -> None:
        while signal.sigwait({signal.SIGUSR1}):
            disk.dump(output)
            (output / ".done").touch()

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    threading.Thread(target=cut, daemon=True).start()
    fuse.FUSE(disk, mount_point, foreground=True, nothreads=False)


if __name__ == "__main__":
    main()

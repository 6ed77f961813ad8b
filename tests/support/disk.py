"""A disk that is really full or read-only: a small file system in memory, seen by one command alone, without root."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_MOUNT = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
_SCRIPT = """
folder="$1" options="$2"; shift 2
mount -t tmpfs -o "$options" none "$folder" || exit 99
"$@"; status=$?
find "$folder" -name ".*" -mindepth 1 >&2
exit $status
"""


@dataclass(frozen=True)
class Disk:
    """A folder that is this disk for every command that `run` runs."""

    folder: Path
    options: str

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """`python -m lemons_core arguments`; the hidden files that it leaves are the last lines of its stderr."""
        command = [sys.executable, "-m", "lemons_core", *map(str, arguments)]
        script = [*_MOUNT, _SCRIPT, "sh", str(self.folder), self.options, *command]
        return subprocess.run(script, capture_output=True, text=True, check=False)

    def words(self, done: subprocess.CompletedProcess[str]) -> list[str]:
        """What a command said on stderr but for its progress and the hidden files."""
        return [line for line in done.stderr.splitlines() if "%" not in line and not line.startswith(f"{self.folder}")]

    def hidden(self, done: subprocess.CompletedProcess[str]) -> list[str]:
        return [line for line in done.stderr.splitlines() if line.startswith(f"{self.folder}")]


def can_mount(folder: Path) -> bool:
    """Whether this system lets a process without rights have a file system of its own."""
    command = [*_MOUNT, _SCRIPT, "sh", str(folder), "size=4k", "true"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0

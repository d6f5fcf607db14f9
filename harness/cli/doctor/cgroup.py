"""Limits that a container or a batch system sets on this process through control groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = 2**60
"""Version 1 writes a number near 2**63 where there is no limit."""


@dataclass(frozen=True)
class ControlGroups:
    """Where the system tells of control groups, versions 1 and 2.

    Attributes:
        membership: Lists the groups of this process.
        root: Where they are mounted.
    """

    membership: Path = Path("/proc/self/cgroup")
    root: Path = Path("/sys/fs/cgroup")

    def memory_bytes(self) -> int | None:
        """Return the lowest limit of memory; None: there is none."""
        return self._lowest("memory", "memory.max", "memory.limit_in_bytes")

    def tasks(self) -> int | None:
        """Return the lowest limit of processes and threads; None: there is none."""
        return self._lowest("pids", "pids.max", "pids.max")

    def cores(self) -> float | None:
        """Return how many processors' time may be used; None: there is no limit."""
        quotas = [_quota(*text.split()) for text in self._texts("", "cpu.max") if len(text.split()) == 2]
        for folder in self._folders("cpu"):
            numbers = [_text(folder / f"cpu.cfs_{what}_us") for what in ("quota", "period")]
            quotas.append(_quota(*numbers))
        return min((each for each in quotas if each is not None), default=None)

    def _lowest(self, controller: str, now: str, before: str) -> int | None:
        texts = [*self._texts("", now), *self._texts(controller, before)]
        limits = [int(text) for text in texts if text.isdigit()]
        return min((each for each in limits if each < _UNLIMITED), default=None)

    def _texts(self, controller: str, file: str) -> list[str]:
        return [_text(folder / file) for folder in self._folders(controller)]

    def _folders(self, controller: str) -> Iterator[Path]:
        """Yield this process's group and all above it; the empty name is version 2."""
        for line in _text(self.membership).splitlines():
            _, controllers, group = line.split(":", 2)
            if controller not in controllers.split(","):
                continue
            # Inside a container the group may be mounted as the root, whatever its name.
            for root in (self.root / controller, self.root / "unified", self.root):
                below = root / group.lstrip("/")
                yield from (folder for folder in (below, *below.parents) if folder.is_relative_to(root))


def _quota(quota: str, period: str) -> float | None:
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

"""Daisy's progress bars, which a run here shows anyway."""

from __future__ import annotations

from typing import Any


class CLMonitor:
    """Accepted for programs that make one; it switches the bars of its server on."""

    def __init__(self, server: Any) -> None:
        self.progresses: dict[str, Any] = {}
        self.summaries: dict[str, Any] = {}
        server.progress = True

"""What a worker program is told about its run, in the environment variable DAISY_CONTEXT."""

from __future__ import annotations

import os
from typing import Any

from .logging import get_log_basedir


class Context:
    """Texts by name: `hostname`, `port`, `task_id`, `worker_id`, `logdir`; and `bellis`, how to connect, which is a secret."""

    ENV_VARIABLE = "DAISY_CONTEXT"

    def __init__(self, **values: Any) -> None:
        self._values: dict[str, str] = {"logdir": str(get_log_basedir())}
        for name, value in values.items():
            self[name] = value

    def copy(self) -> Context:
        return Context(**self._values)

    def to_env(self) -> str:
        return ":".join(f"{name}={value}" for name, value in self._values.items())

    def __setitem__(self, name: str, value: Any) -> None:
        text = str(value)
        if ":" in text or "=" in name or ":" in name:
            raise ValueError(f"{name}={text}: expected a name without = and a text without :, in which contexts are written.")
        self._values[name] = text

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str, default: str | None = None) -> str | None:
        return self._values.get(name, default)

    def __repr__(self) -> str:
        return f"Context({', '.join(self._values)})"

    @staticmethod
    def from_env() -> Context:
        """The context of this process. Raises KeyError outside a worker."""
        return Context(**dict(part.split("=", 1) for part in os.environ[Context.ENV_VARIABLE].split(":")))

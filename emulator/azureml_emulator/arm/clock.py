"""Azure's time: that of the wall, or from the first start on a faster one, for whoever can't wait for minutes."""

import time

from azureml_emulator.arm.store import Store

MINUTE = 60


class Clock:
    """`minute`: how many seconds of the wall one of its minutes takes. A restart leaves it as it is."""

    def __init__(self, store: Store, minute: float):
        self.speed = MINUTE / minute
        if (kept := store.get("clock")) is None:
            store.put("clock", kept := {"began": time.time()})
        self._began = float(kept["began"])

    def now(self) -> float:
        """Epoch."""
        return self._began + (time.time() - self._began) * self.speed if self.speed != 1 else time.time()

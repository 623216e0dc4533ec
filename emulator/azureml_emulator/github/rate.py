"""How many requests GitHub answers an hour (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)."""

import time
from dataclasses import dataclass, field

HOUR = 3600  # seconds


@dataclass
class RateLimit:
    """5,000 for a person's token; 1,000, for all of a repository's together, for a workflow's."""

    limit: int = 5000
    used: int = 0
    reset: float = field(default_factory=lambda: time.time() + HOUR)

    def take(self) -> bool:
        """Count one more request. False if that is one too many."""
        if time.time() >= self.reset:
            self.used, self.reset = 0, time.time() + HOUR
        self.used += 1
        return self.used <= self.limit

    def headers(self) -> dict[str, str]:
        """What every answer tells; what is refused isn't counted."""
        used = min(self.used, self.limit)
        told = {"limit": self.limit, "remaining": self.limit - used, "used": used, "reset": int(self.reset)}
        return {f"x-ratelimit-{name}": str(value) for name, value in told.items()} | {"x-ratelimit-resource": "core"}

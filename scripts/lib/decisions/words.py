"""Numbers in a sentence."""


def counted(count: object, noun: str) -> str:
    """As in `2 minutes`, `1 minute`, `0.5 minutes`; the count may be written already."""
    return f"{count} {noun}" + "s" * (str(count) != "1")

"""What a call to the resource manager needs: an action, and the scope that it is needed over."""

VERBS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}  # a PUT writes, a POST's own name is in its path


def needed(method: str, path: str) -> tuple[str, str]:
    """The action (`Microsoft.…/workspaces/onlineEndpoints/read`) and its scope: of a list what holds it, of a POST what
    it is done to. `path` is an id, or an address without host and query; the provider that stands last in it counts.
    """
    above, _, below = path.rstrip("/").rpartition("/providers/")
    provider, *parts = below.split("/")
    verb = "action" if method == "POST" else VERBS.get(method, "write")
    kept = parts[:-1] if len(parts) % 2 else parts
    scope = "/".join([f"{above}/providers/{provider}", *kept]) if below else path
    return "/".join([provider, *parts[::2], verb]), scope

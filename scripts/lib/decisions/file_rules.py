"""What the files of endpoints/ may say, beyond what the SDK checks: for each key that is wrong, why and what to write.

The SDK passes numbers as environment variables, cuts 1.5 instances to 1 and lower-cases a name, so that two names that
look different here are one deployment there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from scripts.lib.decisions import tags as azures
from scripts.lib.decisions.strict_yaml import Document

LONGEST = 32  # characters of a name (how-to-manage-quotas)
VERSION = 4  # digits that a model's version has room to grow to
SUFFIX = VERSION + len("--abcd")  # what a green's name gets: the version and, with other settings, four digits more
OURS = ("first-rollout", "rollout", "mark-")
"""How the tags begin that a rollout writes on an endpoint."""
TEXTS = ("tags", "properties", "environment_variables")
IDS = "user_assigned_identities"
PROBE = ("failure_threshold", "initial_delay", "period", "success_threshold", "timeout")
#: What may stand where: to find out what a misspelt or misplaced key was meant to be. The SDK judges, not these tables.
ENDPOINT_KEYS = {
    "": ("auth_mode", "description", "identity", "name", "properties", "public_network_access", "tags"),
    "identity": ("type", IDS),
}
DEPLOYMENT_KEYS = {
    "": (
        "app_insights_enabled", "code_configuration", "data_collector", "description", "egress_public_network_access",
        "environment", "environment_variables", "instance_count", "instance_type", "liveness_probe", "model_mount_path",
        "name", "properties", "readiness_probe", "request_settings", "scale_settings", "tags",
    ),
    "code_configuration": ("code", "scoring_script"),
    "environment": ("build", "conda_file", "image", "inference_config", "name", "version"),
    "request_settings": ("max_concurrent_requests_per_instance", "max_queue_wait_ms", "request_timeout_ms"),
    "scale_settings": ("type",),
    "liveness_probe": PROBE,
    "readiness_probe": PROBE,
}  # fmt: skip
#: The least and the greatest of each whole number.
NUMBERS: dict[str, tuple[int, int | None]] = {
    "instance_count": (1, None),
    "request_settings.max_concurrent_requests_per_instance": (1, None),
    "request_settings.request_timeout_ms": (1, 180_000),
    "request_settings.max_queue_wait_ms": (0, None),
    **{
        f"{probe}.{key}": (int(key != "initial_delay"), None)
        for probe in ("liveness_probe", "readiness_probe")
        for key in PROBE
    },
}
PLACEHOLDER = re.compile(r"\$\{(?!\{)[^}]*\}|\$\(\w+\)|\$?\{\{(?!\s*(azureml|keyvault):).*?\}\}|#\{\w+\}#")
"""What other tools fill in: `${COUNT}`, `$(COUNT)`, `{{ count }}`. Azure itself reads secrets as `${{keyvault:…}}`."""
Wrong = dict[str, str]


def endpoint(document: Document) -> Wrong:
    """What is wrong with endpoint.yml."""
    tags = document.content.get("tags", {})
    wrong: Wrong = {}
    if isinstance(tags, dict):  # else the SDK refuses it
        wrong = {f"tags.{tag}": "is the rollout's own tag: take another name" for tag in tags if tag.startswith(OURS)}
        wrong |= model(document) | _too_many(tags, azures.MOST - azures.OF_A_ROLLOUT)
    identity = document.content.get("identity")
    if isinstance(identity, dict) and "user" in str(identity.get("type")) and not identity.get(IDS):
        wrong[f"identity.{IDS}"] = "is missing: write the list of `resource_id`s"
    if "compute" in document.content:
        wrong["compute"] = "makes a Kubernetes endpoint, but the scripts roll out to managed ones: take the line out"
    return common(document) | wrong | name(document, 3, LONGEST)


def model(document: Document) -> Wrong:
    """What is wrong with the tag `model` of endpoint.yml."""
    name = at(document.content, "tags.model")
    if not name:
        return {"tags.model": "is missing: write the name under which the model is registered"}
    if not isinstance(name, str):
        return dict(found for found in _texts(document) if found[0] == "tags.model")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,254}", name, re.ASCII):
        return {"tags.model": f"is {name!r}, but must have letters, digits, `.`, `_` and `-` alone"}
    return {}


def first_deployment(document: Document) -> Wrong:
    """What is wrong with blue-deployment.yml."""
    return common(document) | _managed(document) | name(document, 3, LONGEST)


def later_deployment(document: Document) -> Wrong:
    """What is wrong with green-deployment.yml, whose name gets the model's version."""
    return common(document) | _managed(document) | name(document, 1, LONGEST - SUFFIX)


def room(prefix: str, version: str) -> str:
    """Why green's name would be too long with a version of so many digits, four at least; "" where it fits."""
    digits = max(len(version), VERSION)
    most = LONGEST - digits - len("--abcd")
    with_ = f"with a version of {digits} digits and four of the settings {LONGEST} letters leave {most}"
    return "" if len(prefix) <= most else f"has {len(prefix)} letters, but {with_}: shorten it"


def name(document: Document, shortest: int, longest: int) -> Wrong:
    """What is wrong with the name; Azure tells no upper from lower case, so there is one spelling here."""
    given, spelt = document.content.get("name"), document.spelling.get(("name",), "")
    if given is None or given == "":
        return {"name": "is missing: write one, as in `name: heart`"}
    if not isinstance(given, str):
        return {"name": f"must be a text that begins with a letter: {spelt or given} is none"}
    if re.fullmatch(r"[a-z](-?[a-z0-9])*", given) and shortest <= len(given) <= longest:
        return {}
    better = re.sub(r"[^a-z0-9]+|^[^a-z]+", "-", given.lower())[:longest].strip("-0123456789")
    room = f"{shortest} to {longest}" + (" (the version is appended)" if longest < LONGEST else "")
    why = f"is {given!r}, but must have {room} lower-case letters, digits and single dashes, a letter first"
    return {"name": why + (f": write {better}" if len(better) >= shortest else "")}


def common(document: Document) -> Wrong:
    """What is wrong in any file: values that aren't filled in, are no texts or numbers, or out of their range."""
    found = {**dict(_placeholders(document)), **dict(_texts(document)), **dict(_numbers(document))}
    tags = document.content.get("tags")
    texts = {key: value for key, value in tags.items() if isinstance(value, str)} if isinstance(tags, dict) else {}
    return {**{f"tags.{name}": f"{why}: change it" for name, why in azures.wrong(texts)}, **found}


def clash(first: str, prefix: str) -> Wrong:
    """Whether the first deployment is called like a green of some version: one would be written over the other."""
    taken = re.fullmatch(rf"{re.escape(prefix)}-\d+(-[0-9a-f]{{4}})?", first)
    return {"name": f"is {first}, what green-deployment.yml calls a version: write default"} if taken else {}


def nearest(path: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    """The key that one which Azure doesn't know was meant to be, with what it stands in; "" where nothing is near."""
    parent, _, key = path.rpartition(".")
    places = [(name, f"{section}.{name}".lstrip(".")) for section, names in keys.items() for name in names]
    unique = {name: place for name, place in places if sum(name == other for other, _ in places) == 1}
    elsewhere = [unique[name] for name in get_close_matches(key.lower(), unique, 1, 0.9)]
    here = [f"{parent}.{name}".lstrip(".") for name in get_close_matches(key.lower(), keys.get(parent, ()), 1)]
    return next(iter(elsewhere + here), "")


def _too_many(tags: Any, room: int) -> Wrong:
    """Azure takes 50, of which a rollout needs some."""
    why = f"are {len(tags)}, but there is room for {room} beside the rollout's own"
    return {"tags": why} if len(tags) > room else {}


def _managed(document: Document) -> Wrong:
    """What the SDK loads, but no managed deployment can have."""
    content = document.content
    beside = azures.MOST - len((*azures.OF_A_MODEL, *azures.OF_A_DEPLOYMENT))
    wrong = _too_many(content["tags"], beside) if isinstance(content.get("tags"), dict) else {}
    if str(content.get("type", "managed")).lower() != "managed":
        wrong["type"] = "must be managed, as it is without this line"
    if str(at(content, "scale_settings.type") or "default").lower() != "default":
        wrong["scale_settings.type"] = "must be default: Azure Monitor scales a managed deployment"
    environment = content.get("environment", "azureml:")
    if isinstance(environment, dict) and not environment.keys() & {"image", "build", "conda_file"}:
        wrong["environment"] = "holds no `image`: write one, or azureml:NAME:VERSION in its place"
    elif not isinstance(environment, dict) and not str(environment).startswith("azureml:"):
        wrong["environment"] = "must begin with `azureml:`, as in azureml:NAME:VERSION, or hold an `image`"
    for key in ("code", "scoring_script") if isinstance(content.get("code_configuration"), dict) else ():
        if not at(content, f"code_configuration.{key}"):
            wrong[f"code_configuration.{key}"] = "is missing: write it, or take `code_configuration` out"
    for key in ("environment", "code_configuration.code"):
        if re.fullmatch("azureml:[^/:@]+", str(at(content, key))):
            wrong[key] = f"names no version: write {at(content, key)}:1, or which you want"
    return wrong


def _placeholders(document: Document) -> Iterator[tuple[str, str]]:
    for path, spelt in document.spelling.items():
        if found := PLACEHOLDER.search(spelt):
            yield ".".join(path), f"holds {found[0]}, which nothing fills in here: write the value itself"


def _texts(document: Document) -> Iterator[tuple[str, str]]:
    for section in TEXTS:
        values = document.content.get(section)
        for key, value in (values if isinstance(values, Mapping) else {}).items():
            if not isinstance(value, str):
                yield f"{section}.{key}", f"must be a text: {_quoted(value, document.spelling.get((section, key)))}"


def _quoted(value: Any, spelt: str | None) -> str:
    """What to write for a value that YAML doesn't read as a text."""
    if isinstance(value, dict | list | set):
        return "write one line in quotes"
    text = str(value) if spelt is None else spelt
    return "write '{}'".format(text.replace("'", "''")) if '"' in text or "\\" in text else f'write "{text}"'


def _numbers(document: Document) -> Iterator[tuple[str, str]]:
    for key, (least, most) in NUMBERS.items():
        value, spelt = at(document.content, key), document.spelling.get(tuple(key.split(".")))
        if spelt is None:
            continue  # not there, or no scalar, which the SDK refuses
        number = int(value) if re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", spelt, re.ASCII) else None  # 010 would be 8
        if number is None or number < least or (most is not None and number > most):
            span = f"of {least} at least" if most is None else f"of {least} to {most}"
            yield key, f"must be a whole number {span}, not {spelt or 'empty'}"


def at(content: Any, key: str) -> Any:
    """The value under a dotted key, None where there is none."""
    for step in key.split("."):
        content = content.get(step) if isinstance(content, Mapping) else None
    return content

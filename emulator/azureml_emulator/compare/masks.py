"""What may be shown of a call to somebody's Azure: nothing that isn't known to say nothing about whose it is.

Of texts only the API's own words stay, and messages without the names in them; the same value gets the same mask.
"""

from __future__ import annotations

import re
from typing import Any

from azureml_emulator.api.trace import REPLACED


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What stands in paths, ids and lists and is the API's own, or the comparison's.
WORDS = words(
    "subscriptions resourcegroups providers locations microsoft.machinelearningservices workspaces models versions "
    "datastores workspaceblobstore listsecrets environments onlineendpoints deployments listkeys regeneratekeys token "
    "getlogs mfeoperationsstatus mfeoperationresults score swagger.json localupload mlmodel azureml azureml: default "
    "microsoft.storage storageaccounts microsoft.keyvault vaults microsoft.insights components registries "
    "microsoft.containerregistry microsoft.managedidentity userassignedidentities "
    "blue green none missing model code toy.py conda.yaml"
)
#: Fields whose texts are words of the API, and those with sentences.
SPOKEN = words(
    "code status type kind authMode provisioningState endpointComputeType instanceType scaleType modelType "
    "datastoreType credentialsType secretsType publicNetworkAccess egressPublicNetworkAccess tier keyType "
    "createdByType lastModifiedByType containerType protocol"
)
SENTENCES = words("message target")
#: Maps whose keys are somebody's names; of these Azure's own stay.
OWN_KEYS = words("tags traffic mirrorTraffic userAssignedIdentities environmentVariables secrets outboundRules")
AZURES = re.compile(r"azure(ml|async)", re.I)
SECRET_FIELD = re.compile(r"key$|secret|passw|pwd$|token|signature|^sig$|connectionstring|credential$|^pin$", re.I)
HEADERS = words(
    "content-type retry-after x-ms-retry-after-ms x-ms-error-code x-ms-version api-supported-versions "
    "x-ms-async-operation-timeout ms-azureml-model-error-statuscode"
)
ADDRESSES = words("azure-asyncoperation location operation-location azureml-model-deployment")
QUERY = words("api-version $top $orderby listviewtype comp restype")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?|-?P(?=[\dT])[\dDHMST.]+")
SECRET = re.compile(
    r"-----BEGIN[\s\S]+|(?i:(?<![a-z])(?:bearer|basic|sharedaccesssignature)\s+\S+)|eyJ[\w-]*\.[\w-]+(\.[\w-]*)?"
    r"|(?i:\w*(?:sig|key|secret|password|pwd|token)[\"']?\s*[=:]\s*[\"']?[^\s;&,\"']+)"
)
ADDRESS = re.compile(r"https?://[^\s'\"<>]+|/subscriptions/[^\s'\",;<>]+")
ANYONE = re.compile(
    r"(?P<mail>[\w.+%-]+@[\w-]+(\.[\w-]+)*)|(?P<id>\b[\da-fA-F]{8}(-[\da-fA-F]{4}){3}-[\da-fA-F]{12}\b)"
    r"|(?P<ip>\b\d{1,3}(\.\d{1,3}){3}\b|(?<![\w:])([\da-fA-F]{1,4}::?){3,7}[\da-fA-F]{0,4}(?![\w:])"
    r"|(?<![\w:])[\da-fA-F:]*::[\da-fA-F:]*)"
    r"|(?P<host>\b([a-z\d-]+\.){2,}[a-z][a-z\d-]+\b|\b([\w-]+\.)+(com|net|org|io|ms|local|internal|corp|lan)\b)"
)
LONG = re.compile(r"(?<![\w+/-])(?=[\w/-]*[\d+=]|[\w-]{40})[\w+/-]{20,}=*")
QUOTED = re.compile(r"(?<!\w)(?P<mark>['\"])(?P<text>[^'\"\n]+)(?P=mark)(?!\w)")
MASK = re.compile(r"(<[a-z]+(?:-\d+)?>)")


class Masks:
    """The masks of one trace. `known` are names that are masked wherever they stand, each by its own word."""

    def __init__(self, known: dict[str, str]) -> None:
        self._given = {value.lower(): f"<{mask}>" for value, mask in known.items()}
        self._known = dict(self._given)
        self._count: dict[str, int] = {}

    def call(self, line: dict[str, Any]) -> dict[str, Any]:
        """A line of the trace with nobody's values. Twice, since a sentence may hold what a later field names."""
        return [self._line(line) for _ in range(2)][1]

    def _line(self, line: dict[str, Any]) -> dict[str, Any]:
        query = {key: value if key.lower() in QUERY else REPLACED for key, value in line["query"].items()}
        headers = {name: self._header(name.lower(), value) for name, value in line["headers"].items()}
        path = self.place(re.sub(r"^/[^/]*\.blob\.[^/]*", "", line["path"]))  # a local account's host is in the path
        bodies = {part: self.value(line[part]) for part in ("sent", "body")}
        return {**line, "path": path, "query": query, "headers": headers, **bodies}

    def _header(self, name: str, value: str) -> str:
        return self.place(value) if name in ADDRESSES else value if name in HEADERS else REPLACED

    def value(self, value: Any, field: str = "", within: str = "") -> Any:
        """A part of a body, which stands in such a field of such a field."""
        if isinstance(value, dict):
            own = field in OWN_KEYS or (field, within) == ("properties", "properties")
            named = {key: self._key(key, own) for key in value}
            return {named[key]: self.value(item, key, field) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, field, within) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if SECRET_FIELD.search(field) and field not in SPOKEN:
            return REPLACED
        if not isinstance(value, str):
            return value
        if field in SPOKEN and re.fullmatch(r"[\w.]{1,40}(/[\w.]{1,40})*", value):
            return LONG.sub(REPLACED, value)
        if field in SENTENCES:
            return self.said(value)
        return "<time>" if TIME.fullmatch(value) else self.place(value)

    def _key(self, text: str, own: bool) -> str:
        shown = AZURES.match(text) if own else re.fullmatch(r"[\w.$]{1,60}", text) and text.lower() not in self._given
        return text if shown and not ANYONE.search(text) and not LONG.search(text) else self.name(text)

    def place(self, text: str) -> str:
        """An address, an id or a name: of its parts only the API's own words stay."""
        path, mark, query = text.partition("?")
        scheme, slashes, rest = path.rpartition("://")
        host, slash, rest = rest.partition("/") if slashes else ("", "", rest)
        asked = (pair.partition("=") for pair in query.split("&") if pair)
        query = "&".join(f"{key}={value if key.lower() in QUERY else REPLACED}" for key, _, value in asked)
        start = f"{scheme if scheme in ('https', 'azureml') else ''}{slashes}{self._mask('host', host) if host else ''}"
        return f"{start}{slash}{'/'.join(map(self.name, rest.split('/')))}{mark}{query}"

    def name(self, text: str) -> str:
        """The text where it is the API's own, a small number or masked already; else its mask."""
        if not text or text.lower() in WORDS or text == REPLACED or re.fullmatch(rf"\d{{1,3}}|{MASK.pattern}", text):
            return text
        return self._mask("name", text)

    def said(self, text: str) -> str:
        """A sentence without the secrets, addresses and names in it."""
        text = ADDRESS.sub(lambda found: self.place(found[0]), SECRET.sub(REPLACED, text))
        text = ANYONE.sub(lambda found: self._mask(found.lastgroup or "", found[0]), text)
        parts = MASK.split(LONG.sub(REPLACED, text))
        text = "".join(part if MASK.fullmatch(part) else self._without_names(part) for part in parts)
        return QUOTED.sub(lambda found: f"{found['mark']}{self.place(found['text'])}{found['mark']}", text)

    def _without_names(self, text: str) -> str:
        names = sorted((name for name in self._known if name in text.lower()), key=len, reverse=True)
        if not names:
            return text
        short, long = r"(?<!\w){}(?!\w)", "{}"  # what is short may be a part of any word
        either = "|".join((short if len(name) < 5 else long).format(re.escape(name)) for name in names)
        return re.sub(either, lambda found: self._known[found[0].lower()], text, flags=re.IGNORECASE)

    def _mask(self, kind: str, text: str) -> str:
        if text.lower() not in self._known:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._known[text.lower()] = f"<{kind}-{self._count[kind]}>"
        return self._known[text.lower()]

"""Which of GitHub's logins Azure trusts: a pure decision about subjects. Unknown stands for an answer not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, listed, ok, wrong
from scripts.lib.setup.azure import AUDIENCE, ISSUER

MEND = (
    "Run the lines `az identity federated-credential create …` that `python -m scripts.setup_github --dry-run` prints."
)


def subjects(sent: Mapping[str, str] | Unknown, trusted: Sequence[Mapping[str, Any]] | Unknown) -> Finding:
    """Whether Azure trusts what GitHub sends. `trusted` are the federated credentials' properties.

    `sent` is one subject an environment (entra/workload-id/workload-identities-github-immutable-subjects); Azure
    tells upper from lower case.
    """
    name = "OIDC subject"
    if isinstance(sent, Unknown):
        return cannot_tell(name, sent, "azure/login prints it in its log, as “subject claim”.")
    must = f"Azure must trust {listed(sent.values())}."
    if isinstance(trusted, Unknown):
        return cannot_tell(name, f"{must} Whether it does can't be read here: {trusted}", MEND)
    known = {str(one.get("subject")) for one in trusted if _is_github(one)}
    missing = {environment: subject for environment, subject in sent.items() if subject not in known}
    if missing:
        say = f"the identity doesn't trust {listed(missing.values())}, but {listed(known) or 'no subject of GitHub'}."
        return wrong(name, f"{say} Logins there end with AADSTS700213.", MEND)
    return ok(name, f"the identity trusts {listed(sent.values())}.")


def _is_github(credential: Mapping[str, Any]) -> bool:
    return credential.get("issuer") == ISSUER and AUDIENCE in (credential.get("audiences") or ())

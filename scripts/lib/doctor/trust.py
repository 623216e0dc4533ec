"""Which of GitHub's logins Azure trusts: a pure decision about subjects. Unknown stands for an answer not given."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, listed, ok, wrong
from scripts.lib.setup.azure import AUDIENCE

MEND = (
    "Run the lines `az identity federated-credential create …` that `python -m scripts.setup_github --dry-run` prints."
)


def subjects(
    sent: Mapping[str, str] | Unknown,
    trusted: Sequence[Mapping[str, Any]] | Unknown,
    issuer: str,
    name: str = "OIDC subject",
) -> Finding:
    """Whether Azure trusts what GitHub, the `issuer`, sends. `trusted` are the federated credentials' properties.

    `sent` is one subject an environment (entra/workload-id/workload-identities-github-immutable-subjects); Azure
    tells upper from lower case.
    """
    if isinstance(sent, Unknown):
        return cannot_tell(name, sent, "azure/login prints it in its log, as “subject claim”.")
    must = f"Azure must trust {listed(sent.values())}."
    if isinstance(trusted, Unknown):
        return cannot_tell(name, f"{must} Whether it does can't be read here: {trusted}", MEND)
    known = {str(one.get("subject")) for one in trusted if _is_ours(one, issuer)}
    missing = {environment: subject for environment, subject in sent.items() if subject not in known}
    if not missing:
        return ok(name, f"the identity trusts {listed(sent.values())}.")
    say = f"the identity doesn't trust {listed(missing.values())}, but {listed(known) or 'no subject of GitHub'}."
    same = [one for one in trusted if one.get("subject") in missing.values()]
    ours = [one for one in same if one.get("issuer") == issuer]
    clouds = {audience for one in ours for audience in one.get("audiences") or () if audience.startswith(AUDIENCE)}
    if clouds:
        say = f"the identity trusts {listed(missing.values())} for {listed(sorted(clouds))}, another Azure cloud's."
        return wrong(name, say, f"These workflows log in to Azure's public cloud alone, where it is {AUDIENCE}.")
    mend = MEND
    if same and not ours:
        said = listed({str(one.get("issuer")) for one in same})
        say = f"the identity trusts {listed(missing.values())} of {said}, but GitHub's tokens have the issuer {issuer}."
        mend = f"{MEND} If your enterprise's tokens have that issuer, set OIDC_ISSUER to it before."
    return wrong(name, f"{say} Logins there end with AADSTS700213.", mend)


def others(
    sent: Mapping[str, str] | Unknown, trusted: Sequence[Mapping[str, Any]] | Unknown, issuer: str, name: str
) -> Finding:
    """Whether the identity trusts anything else: whoever has such a token may do what the workflows may."""
    if isinstance(sent, Unknown) or isinstance(trusted, Unknown):
        return cannot_tell(name, sent if isinstance(sent, Unknown) else trusted)
    wanted = set(sent.values())
    ours = [one for one in trusted if f"{one.get('issuer')}/".startswith(f"{issuer}/")]  # an enterprise's own, too
    found = [one for one in trusted if not (one in ours and _has_our_audience(one) and one.get("subject") in wanted)]
    if not found:
        return ok(name, "the identity trusts nothing else.")
    said = listed(str(one.get("subject") or one.get("claimsMatchingExpression") or one.get("issuer")) for one in found)
    say = f"the identity trusts {said}, too: who has such a token may do what these workflows may."
    return wrong(name, say, "\n".join(_removal(one) for one in found))


def _removal(credential: Mapping[str, Any]) -> str:
    """The line that deletes it. Its id: /subscriptions/…/resourceGroups/…/…/IDENTITY/federatedIdentityCredentials/…"""
    parts = str(credential.get("id", "")).split("/")
    if len(parts) < 11:
        return "Delete it on the identity's page, under Federated credentials."
    where = {"--name": -1, "--identity-name": -3, "--subscription": 2, "--resource-group": 4}
    names = shlex.join(word for option, at in where.items() for word in (option, parts[at]))
    return f"az identity federated-credential delete {names} --yes"


def _is_ours(credential: Mapping[str, Any], issuer: str) -> bool:
    return credential.get("issuer") == issuer and _has_our_audience(credential)


def _has_our_audience(credential: Mapping[str, Any]) -> bool:
    return AUDIENCE in (credential.get("audiences") or ())

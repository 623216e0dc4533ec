"""What live traffic showed, by the best that tells of it: the log of its requests, else Azure Monitor's metrics."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta

from scripts.lib.azure import metrics, traffic_log
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.decisions.canary.minutes import Evidence, NoEvidence


def evidence(
    endpoint: OnlineEndpoint,
    blue: str,
    green: str,
    since: datetime,
    *,
    delay: timedelta,
    before: timedelta,
    log: str | None = None,
) -> Evidence:
    """By Log Analytics where `log`, else LOG_ANALYTICS_WORKSPACE_ID, is the customer id of a workspace.

    Where that doesn't tell, `source` says why. Raises NoEvidence, with the reasons, where nobody tells.
    """
    of_both, log = (endpoint, blue, green, since), log or os.environ.get(traffic_log.VARIABLE)
    if not log:
        return metrics.evidence(*of_both, delay=delay, before=before)
    try:
        return traffic_log.evidence(*of_both, delay=delay, before=before, log=log)
    except NoEvidence as why:
        reason = " ".join(str(why).split())
    try:
        found = metrics.evidence(*of_both, delay=delay, before=before)
    except NoEvidence as neither:
        raise NoEvidence(f"{neither}\n{reason}") from neither.__cause__
    return replace(found, source=f"{found.source}, since {reason}")

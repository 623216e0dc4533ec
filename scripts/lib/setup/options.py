"""What setup_github accepts on its command line. Wrong values end with exit code 2, before GitHub is asked."""

from __future__ import annotations

import re
from typing import Any

import click

from scripts.lib.cli import names
from scripts.lib.cli.command import Function
from scripts.lib.github.repository_variables import FIRST


class Form(click.ParamType[str]):
    """Text of a given form, described to people by `what`."""

    def __init__(self, name: str, pattern: str, what: str):
        self.name = name
        self._pattern = re.compile(pattern, re.ASCII)
        self._what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._pattern.fullmatch(value):
            self.fail(f"{value!r} is not {self._what}", param, ctx)
        return str(value)


ID = Form("id", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "an id: 32 hexadecimal digits in five groups")
GROUP = Form("name", r"[\w.()-]{0,89}[\w()-]", "a resource group's name")
WORKSPACE = Form("name", r"[A-Za-z0-9][\w-]{2,32}", "a workspace's name: 3 to 33 letters, digits, dashes, underscores")
IDENTITY = Form("name", r"[A-Za-z0-9][\w-]{2,127}", "an identity's name: 3 to 128 letters, digits, dashes, underscores")
LOCATION = Form("name", r"[a-z][a-z0-9]+", "a location such as westeurope (`az account list-locations` names them)")
REPOSITORY = Form("owner/name", r"[\w.-]+/[\w.-]+", "OWNER/NAME")
LOGIN = Form("login", r"\w[\w-]*", "a login")  # an underscore is in those of Enterprise Managed Users
NUMBER = Form("number", r"\d{1,7}(\.\d{1,6})?", "a number such as 0.5")
ACTION = Form(
    "id",
    r"/subscriptions/[^/\s]+/(?i:resourceGroups/[^/\s]+/providers/Microsoft\.Insights/actionGroups)/[^/]+",
    "the id of an action group (`az monitor action-group list --query '[].id'` names them)",
)
LOGS = Form(
    "id",
    r"/subscriptions/[^/\s]+/(?i:resourceGroups/[^/\s]+/providers/Microsoft\.OperationalInsights/workspaces)/[\w-]+",
    "the id of a workspace (`az monitor log-analytics workspace list --query '[].id'` names them)",
)
TEAM = Form("org/slug", r"\w[\w-]*/[\w.-]+", "ORG/SLUG")

#: The option that sets each variable, and the form of its value.
VALUES: dict[str, tuple[str, click.ParamType[Any] | Function]] = {
    "AZURE_CLIENT_ID": ("--client-id", ID),
    "AZURE_TENANT_ID": ("--tenant-id", ID),
    "DEPLOY_AZURE_CLIENT_ID": ("--deploy-client-id", ID),
    "PRODUCTION_AZURE_CLIENT_ID": ("--production-client-id", ID),
    "ROLLBACK_AZURE_CLIENT_ID": ("--rollback-client-id", ID),
    "TRAIN_AZURE_CLIENT_ID": ("--train-client-id", ID),
    "AZURE_SUBSCRIPTION_ID": ("--subscription-id", ID),
    "AZURE_RESOURCE_GROUP": ("--resource-group", GROUP),
    "AZURE_ML_WORKSPACE": ("--workspace", WORKSPACE),
    "ENDPOINT_NAME": ("--endpoint", names.endpoint),
    "LOG_ANALYTICS_WORKSPACE_ID": ("--log-analytics-id", ID),
    "RUNNER": ("--runner", Form("label", r"[\w][\w.-]*", "a runner's label, such as azure-vnet")),
    "ATTEST": ("--attest", click.Choice(["true", "false"])),
    "APPROVALS": ("--ask-at", click.Choice([FIRST])),
}


def github_options(function: Function) -> Function:
    """`repository`, `logins`, `teams`, `branch`, `ruleset`, `approvals`, `staging`."""
    options = (
        click.option("--repository", type=REPOSITORY, show_default="where the git remote `origin` points"),
        click.option("--reviewer", "logins", type=LOGIN, multiple=True, help="Who may approve promotions."),
        click.option("--team", "teams", type=TEAM, multiple=True, help="Whose members may approve promotions."),
        click.option("--branch", help="The branch that may deploy.", show_default="the default branch"),
        click.option("--ruleset", is_flag=True, help="Let changes into that branch by pull request alone."),
        click.option("--approvals", type=click.IntRange(0, 10), default=0, help="How many the ruleset asks for."),
        click.option("--staging", is_flag=True, help="Set up the staging workspace, not production's."),
    )
    return _all(function, options)


def azure_options(function: Function) -> Function:
    """One for each of VALUES, by the variable's name, and `location`, `identity_name`, `own_identities`."""
    options = (
        *(
            click.option(option, variable, type=form, help=f"Sets the variable {variable}.")
            for variable, (option, form) in VALUES.items()
        ),
        click.option("--location", type=LOCATION, help="Where Azure's lines create what isn't there."),
        click.option("--identity-name", type=IDENTITY, show_default="github-NAME, for staging github-NAME-staging"),
        click.option("--own-identities", is_flag=True, help="One more for production, and one for rollback."),
    )
    return _all(function, options)


#: What counts with --watch alone, by the option's name: its form, and what it says.
WATCHING = {
    "failing": (NUMBER, "Alert above so many failing requests a minute; else for each."),
    "latency": (NUMBER, "Alert above a P90 of so many milliseconds; else for none."),
    "action_group": (ACTION, "Whom alerts call; else they stand in the portal alone."),
    "log_workspace": (LOGS, "The Log Analytics workspace that gets the log of requests; else none does."),
}


def watch_options(function: Function) -> Function:
    """`watch`, and one for each of WATCHING."""
    options = (
        click.option("--watch", is_flag=True, help="Print only lines by which Azure watches an endpoint that serves."),
        *(
            click.option(f"--{name.replace('_', '-')}", name, type=form, help=text)
            for name, (form, text) in WATCHING.items()
        ),
    )
    return _all(function, options)


def _all(function: Function, options: tuple[Any, ...]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function

"""What the local Azure is called: its cloud, its one subscription and resource group, its region."""

CLOUD = "LocalAzureML"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = "local"
LOCATION = "local"
#: The client id of the identity `rollout`, which is there from the start, with its roles on each workspace.
ROLLOUT = "00000000-0000-0000-0000-000000000001"
#: The customer id of the one Log Analytics workspace.
LOGS = "00000000-0000-0000-0000-000000000002"
TENANT = "00000000-0000-0000-0000-0000000000aa"
PROVIDER = "Microsoft.MachineLearningServices"

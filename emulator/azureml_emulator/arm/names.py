"""What the local Azure is called: its cloud, its one subscription and resource group, its region."""

CLOUD = "LocalAzureML"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = "local"
LOCATION = "local"
PROVIDER = "Microsoft.MachineLearningServices"

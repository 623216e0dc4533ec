"""How a command ends: an error that is no plain refusal says so by an attribute `exit_code`."""

FAILED, LATE, UNREACHED = 1, 3, 4  # 2 is click's own, for wrong usage

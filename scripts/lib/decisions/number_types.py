"""Which types of a signature hold all values of which others: MLflow's own names and NumPy's."""

ALIASES = {
    **{"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"},
    **{"string": "str", "object": "str", "binary": "bytes"},
}
WIDER = [  # each holds those before it; that of 64-bit integers a float64 holds those up to 2**53 is let pass
    ("int8", "int16", "int32", "int64", "float64"),
    ("uint8", "uint16", "uint32", "uint64", "float64"),
    ("uint8", "int16", "float32", "float64"),
    ("uint16", "int32"),
    ("uint32", "int64"),
    ("float16", "float32", "float64"),
]


def holds(wide: str, narrow: str) -> bool:
    """Whether every value of the one type is one of the other, too."""
    new, old = ALIASES.get(wide, wide), ALIASES.get(narrow, narrow)
    chains = [chain for chain in WIDER if new in chain and old in chain]
    return new in (old, "any") or any(chain.index(old) < chain.index(new) for chain in chains)

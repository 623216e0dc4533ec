"""Whether live traffic shows that green is worse than blue: pure decisions."""

"""The language people write: from YAML with positions to a compiled plan."""

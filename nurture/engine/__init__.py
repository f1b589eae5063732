"""One module per thing that happens; owns transactions."""

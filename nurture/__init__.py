"""Lead nurturing as code."""

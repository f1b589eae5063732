"""Where a lead stands, and the arithmetic of funnels."""

"""From the tree of a file to typed values, with every finding said at its place."""

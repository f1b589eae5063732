"""One lead's walk through one version of a campaign; pure."""

"""The endpoint: events in, people's pages, the REST interface."""

"""The databases of the store's suite serve here too."""

from tests.store.conftest import postgres_url

__all__ = ["postgres_url"]

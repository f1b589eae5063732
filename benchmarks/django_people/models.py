"""One model, found by Django by this file's name."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):  # type: ignore[misc]
    """A user who left a cart behind."""

    cart = models.JSONField(default=dict)
    abandoned = models.BooleanField(default=True)

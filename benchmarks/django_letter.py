"""django-drip's message with the one-click header that Gmail and Yahoo ask for, as its extension point offers it."""

from __future__ import annotations

from django.core.mail import EmailMultiAlternatives
from django.core.signing import Signer
from drip.drips import DripMessage

_SIGNER = Signer()


class OneClickMessage(DripMessage):  # type: ignore[misc]
    """One class for every drip, named in DRIP_MESSAGE_CLASSES."""

    def build_context(self) -> dict[str, object]:
        self.link = f"https://news.shop.example/u/{_SIGNER.sign(str(self.user.pk))}"
        return super().build_context() | {"unsubscribe": self.link}

    @property
    def message(self) -> EmailMultiAlternatives:
        message = super().message
        message.extra_headers["List-Unsubscribe"] = f"<{self.link}>"
        message.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return message

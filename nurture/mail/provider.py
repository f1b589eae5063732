"""Who keeps a mailbox: limits are a provider's, not a domain's, so mails wait in its lane."""

from __future__ import annotations

from collections.abc import Mapping

# Domains whose mailboxes are kept, and limited, by one provider. Domains of companies hosted there are not known
# without asking DNS; they are lanes of their own.
PROVIDERS: Mapping[str, str] = {
    domain: provider
    for provider, domains in {
        "google": "gmail.com googlemail.com",
        "microsoft": "outlook.com outlook.fr outlook.de outlook.it outlook.es hotmail.com hotmail.fr hotmail.de "
        "hotmail.it hotmail.es hotmail.co.uk live.com live.fr live.nl live.co.uk "
        "msn.com windowslive.com passport.com",
        "yahoo": "yahoo.com yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ro yahoo.co.uk yahoo.co.in yahoo.ca yahoo.com.br "
        "ymail.com rocketmail.com myyahoo.com aol.com aol.fr aol.de aim.com verizon.net att.net "
        "sbcglobal.net bellsouth.net",
        "apple": "icloud.com me.com mac.com privaterelay.appleid.com",
        "united-internet": "gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr gmx.co.uk web.de mail.com 1und1.de",
        "telekom": "t-online.de magenta.de",
        "orange": "orange.fr wanadoo.fr voila.fr",
        "sfr": "sfr.fr neuf.fr cegetel.net club-internet.fr numericable.fr noos.fr",
        "free": "free.fr aliceadsl.fr online.fr",
        "laposte": "laposte.net",
        "bouygues": "bbox.fr",
        "proton": "proton.me protonmail.com protonmail.ch pm.me",
        "fastmail": "fastmail.com fastmail.fm messagingengine.com",
        "zoho": "zoho.com zohomail.com zohomail.eu",
        "mailru": "mail.ru inbox.ru list.ru bk.ru internet.ru",
        "yandex": "yandex.ru yandex.com ya.ru",
        "tencent": "qq.com foxmail.com",
        "netease": "163.com 126.com yeah.net",
        "italia-online": "libero.it virgilio.it iol.it inwind.it giallo.it blu.it",
        "comcast": "comcast.net xfinity.com",
        "seznam": "seznam.cz email.cz post.cz",
        "wp": "wp.pl o2.pl tlen.pl",
        "onet": "onet.pl op.pl poczta.onet.pl vp.pl onet.eu",
    }.items()
    for domain in domains.split()
}


def provider_of(address: str) -> str:
    """The lane's name for an address: its provider where several domains share one, else the domain itself."""
    domain = address.rpartition("@")[2].rstrip(".").lower()
    return PROVIDERS.get(domain, domain)

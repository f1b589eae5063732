"""Delivery reports in the shapes that mail servers give them, written after public documents and specimens.

Each case says what must be read out of it. `b+1a.mac@acme.example` stands for our envelope sender.
"""

# ruff: noqa: E501 — a specimen stands on one line

from __future__ import annotations

from dataclasses import dataclass

VERP = "b+1a.mac@acme.example"
ORIGINAL = """Return-Path: <b+1a.mac@acme.example>
From: Acme <news@acme.example>
To: Anna <anna@example.com>
Subject: Your cart
Date: Mon, 02 Mar 2026 09:05:07 +0000
Message-ID: <1a.mac@acme.example>
List-Unsubscribe: <https://news.acme.example/u/token>
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"

Hello Anna
"""


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    kind: str
    recipient: str
    status: str
    code: int | None
    standard: bool = True


def _report(
    sender: str,
    subject: str,
    prose: str,
    status: str,
    *,
    headers: str = "",
    original: str = "message/rfc822",
    status_type: str = "message/delivery-status",
) -> bytes:
    body = ORIGINAL if original == "message/rfc822" else ORIGINAL.split("\n\n")[0] + "\n"
    text = (
        f"Return-Path: <>\nDelivered-To: {VERP}\nFrom: {sender}\nTo: {VERP}\nSubject: {subject}\n{headers}"
        "Date: Mon, 02 Mar 2026 09:06:00 +0000\nMessage-ID: <report@mx.example>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"\n\n'
        f"This is a MIME-encapsulated message.\n\n--=_b\nContent-Type: text/plain; charset=us-ascii\n\n{prose}\n\n"
        f"--=_b\nContent-Type: {status_type}\n\n{status}\n\n--=_b\nContent-Type: {original}\n\n{body}\n--=_b--\n"
    )
    return text.replace("\n", "\r\n").encode()


def postfix(action: str, status: str, diagnostic: str, recipient: str = "anna@example.com") -> bytes:
    return _report(
        "MAILER-DAEMON@mx.acme.example (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
        f"This is the mail system at host mx.acme.example.\n\n<{recipient}>: host mx.example.com said: {diagnostic}",
        "Reporting-MTA: dns; mx.acme.example\nX-Postfix-Queue-ID: 4Bq1\nX-Postfix-Sender: rfc822; " + VERP + "\n"
        "Arrival-Date: Mon,  2 Mar 2026 09:05:08 +0000 (UTC)\n\n"
        f"Final-Recipient: rfc822; {recipient}\nOriginal-Recipient: rfc822;{recipient}\nAction: {action}\n"
        f"Status: {status}\nRemote-MTA: dns; mx.example.com\nDiagnostic-Code: {diagnostic}",
        headers="Auto-Submitted: auto-replied\n",
    )


def exim(diagnostic: str, action: str = "failed", status: str = "5.0.0") -> bytes:
    return _report(
        "Mail Delivery System <Mailer-Daemon@mx.acme.example>",
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\n  anna@example.com\n    " + diagnostic,
        f"Reporting-MTA: dns; mx.acme.example\n\nAction: {action}\nFinal-Recipient: rfc822;anna@example.com\n"
        f"Status: {status}\nRemote-MTA: dns; mx.example.com\nDiagnostic-Code: {diagnostic}",
        headers="X-Failed-Recipients: anna@example.com\nAuto-Submitted: auto-replied\n",
    )


def exchange(status: str, diagnostic: str, action: str = "failed") -> bytes:
    return _report(
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>",
        "Undeliverable: Your cart",
        "Your message to anna@example.com couldn't be delivered.",
        "Reporting-MTA: dns;AM0PR0.eurprd.prod.outlook.example\nReceived-From-MTA: dns;mx.acme.example\n"
        "Arrival-Date: Mon, 2 Mar 2026 09:05:09 +0000\n\n"
        f"Final-Recipient: rfc822;anna@example.com\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {diagnostic}",
        headers="X-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied\n",
    )


def gmail(status: str, diagnostic: str, action: str = "failed") -> bytes:
    return _report(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        "Delivery Status Notification (Failure)",
        "** Address not found **\n\nYour message wasn't delivered to anna@example.com.",
        "Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; news@acme.example\n"
        "Arrival-Date: Mon, 02 Mar 2026 01:05:08 -0800 (PST)\nX-Original-Message-ID: <1a.mac@acme.example>\n\n"
        f"Final-Recipient: rfc822; anna@example.com\nAction: {action}\nStatus: {status}\n"
        f"Remote-MTA: dns; gmail-smtp-in.l.google.example. (2001:db8::1, the server for the domain.)\n"
        f"Diagnostic-Code: {diagnostic}\nLast-Attempt-Date: Mon, 02 Mar 2026 01:05:09 -0800 (PST)",
        headers="X-Failed-Recipients: anna@example.com\nAuto-Submitted: auto-replied\n",
    )


def sendmail(status: str, diagnostic: str, action: str = "failed") -> bytes:
    return _report(
        "Mail Delivery Subsystem <MAILER-DAEMON@mx.acme.example>",
        "Returned mail: see transcript for details",
        "   ----- The following addresses had permanent fatal errors -----\n<anna@example.com>\n",
        f"Reporting-MTA: dns; mx.acme.example\n\nFinal-Recipient: RFC822; anna@example.com\nAction: {action}\n"
        f"Status: {status}\nRemote-MTA: DNS; mx.example.com\nDiagnostic-Code: {diagnostic}",
        headers="Auto-Submitted: auto-generated (failure)\n",
        original="text/rfc822-headers",
    )


def courier(status: str, diagnostic: str) -> bytes:
    return _report(
        '"Courier mail server at mx.example.com" <@>',
        "NOTICE: mail delivery status.",
        "UNDELIVERABLE MAIL",
        f"Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; <anna@example.com>\nAction: failed\n"
        f"Status: {status}\nDiagnostic-Code: {diagnostic}",
        original="text/rfc822-headers",
    )


def ses(status: str, diagnostic: str) -> bytes:
    return _report(
        "MAILER-DAEMON@eu-west-1.amazonses.example",
        "Delivery Status Notification (Failure)",
        "An error occurred while trying to deliver the mail to the following recipients:\nanna@example.com",
        "Reporting-MTA: dns; a4-1.smtp-out.eu-west-1.amazonses.example\n\nAction: failed\n"
        f"Final-Recipient: rfc822; anna@example.com\nDiagnostic-Code: {diagnostic}\nStatus: {status}",
    )


def domino(status: str) -> bytes:
    return _report(
        "Postmaster@example.com",
        "DELIVERY FAILURE: User anna (anna@example.com) not listed in Domino Directory",
        "Your message was not delivered.",
        f"Reporting-MTA: dns;mail.example.com\n\nFinal-Recipient: rfc822;anna@example.com\nAction: failed\nStatus: {status}\n"
        "Diagnostic-Code: X-Notes; User anna (anna@example.com) not listed in Domino Directory",
    )


def eai(status: str, diagnostic: str) -> bytes:
    return _report(
        "MAILER-DAEMON@mx.acme.example",
        "Undelivered Mail Returned to Sender",
        "Not delivered.",
        f"Reporting-MTA: dns; mx.acme.example\n\nFinal-Recipient: utf-8; änna@example.com\nAction: failed\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}",
        status_type="message/global-delivery-status",
        original="message/global-headers",
    )


def qmail(said: str, recipient: str = "anna@example.com") -> bytes:
    text = (
        f"Return-Path: <>\nDelivered-To: {VERP}\nDate: 2 Mar 2026 09:06:00 -0000\nFrom: MAILER-DAEMON@mx.example.com\n"
        f"To: {VERP}\nSubject: failure notice\n\n"
        "Hi. This is the qmail-send program at mx.example.com.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{recipient}>:\n{said}\n\n--- Below this line is a copy of the message.\n\n{ORIGINAL}"
    )
    return text.encode()


def old_exim(said: str) -> bytes:
    text = (
        f"Return-path: <>\nEnvelope-to: {VERP}\nX-Failed-Recipients: anna@example.com\nAuto-Submitted: auto-replied\n"
        f"From: Mail Delivery System <Mailer-Daemon@mx.acme.example>\nTo: {VERP}\n"
        "Subject: Mail delivery failed: returning message to sender\n\n"
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be"
        " delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
        f"  anna@example.com\n    {said}\n\n------ This is a copy of the message, including all the headers. ------\n\n"
        f"{ORIGINAL}"
    )
    return text.encode()


A = "anna@example.com"
GONE = (
    "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
    "    550-5.1.1 double-checking the recipient's email address for typos or\n"
    "    550 5.1.1 unnecessary spaces. q5-20020a05 - gsmtp"
)
CASES = [
    Case("postfix.unknown", postfix("failed", "5.1.1", "smtp; 550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown"), "bounced", A, "5.1.1", 550),
    Case("postfix.no-enhanced", postfix("failed", "5.0.0", "smtp; 550 No such user here"), "bounced", A, "5.0.0", 550),
    Case("postfix.host-unknown", postfix("failed", "5.4.4", "X-Postfix; Host or domain name not found. Name service error for name=example.com type=A: Host not found"), "bounced", A, "5.4.4", 550),
    Case("postfix.expired", postfix("failed", "4.4.1", "X-Postfix; connect to mx.example.com[192.0.2.1]:25: Connection timed out"), "bounced", A, "4.4.1", 450),
    Case("postfix.delayed", postfix("delayed", "4.4.1", "X-Postfix; connect to mx.example.com[192.0.2.1]:25: Connection refused"), "deferred", A, "4.4.1", 450),
    Case("postfix.delayed-5", postfix("delayed", "5.1.1", "smtp; 550 5.1.1 User unknown"), "deferred", A, "5.1.1", 550),
    Case("postfix.delivered", postfix("delivered", "2.0.0", "smtp; 250 2.0.0 Ok: queued as 4Bq2"), "delivered", A, "2.0.0", 250),
    Case("postfix.relayed", postfix("relayed", "2.0.0", "smtp; 250 2.0.0 Ok"), "sent", A, "2.0.0", 250),
    Case("postfix.expanded", postfix("expanded", "2.0.0", "X-Postfix; alias expanded"), "delivered", A, "2.0.0", 250),
    Case("postfix.full", postfix("failed", "5.2.2", "smtp; 552 5.2.2 Mailbox full"), "bounced", A, "5.2.2", 552),
    Case("postfix.policy", postfix("failed", "5.7.1", "smtp; 554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org"), "bounced", A, "5.7.1", 554),
    Case("postfix.loop", postfix("failed", "5.4.6", "X-Postfix; mail for example.com loops back to myself"), "bounced", A, "5.4.6", 550),
    Case("postfix.forwarded", postfix("failed", "5.1.1", "smtp; 550 5.1.1 unknown", "anna@elsewhere.example"), "bounced", "anna@elsewhere.example", "5.1.1", 550),
    Case("exim.unknown", exim("smtp; 550 5.1.1 <anna@example.com> User unknown"), "bounced", A, "5.1.1", 550),
    Case("exim.no-enhanced", exim("smtp; 550 Unrouteable address"), "bounced", A, "5.0.0", 550),
    Case("exim.full", exim("smtp; 552 5.2.2 anna@example.com mailbox is full"), "bounced", A, "5.2.2", 552),
    Case("exim.sender-verify", exim("smtp; 550-Verification failed for <news@acme.example>\n 550-Unrouteable address\n 550 Sender verify failed"), "bounced", A, "5.0.0", 550),
    Case("exim.said", exim("smtp; host mx.example.com [192.0.2.1] said: 550 5.2.1 Mailbox disabled"), "bounced", A, "5.2.1", 550),
    Case("exim.delayed", exim("smtp; 451 4.7.1 Greylisted, try again", "delayed", "4.0.0"), "deferred", A, "4.7.1", 451),
    Case("exim.timeout", exim("smtp; retry timeout exceeded", status="4.0.0"), "bounced", A, "4.0.0", 450),
    Case("exchange.not-found", exchange("5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@example.com not found by SMTP address lookup"), "bounced", A, "5.1.10", 550),
    Case("exchange.5.1.1", exchange("5.1.1", "smtp;550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found"), "bounced", A, "5.1.1", 550),
    Case("exchange.quota", exchange("5.2.2", "smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException"), "bounced", A, "5.2.2", 554),
    Case("exchange.directory", exchange("5.4.1", "smtp;550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM0.example]"), "bounced", A, "5.4.1", 550),
    Case("postfix.opensmtpd-nobody", postfix("failed", "5.2.4", "smtp; 524 5.2.4 Mailing list expansion problem: <anna@example.com>"), "bounced", A, "5.2.4", 524),
    Case("exchange.restricted", exchange("5.7.133", "smtp;550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"), "bounced", A, "5.7.133", 550),
    Case("exchange.loop", exchange("5.4.14", "smtp;554 5.4.14 Hop count exceeded - possible mail loop ATTR34"), "bounced", A, "5.4.14", 554),
    Case("exchange.expired", exchange("4.4.7", "smtp;550 4.4.7 QUEUE.Expired; message expired"), "bounced", A, "4.4.7", 550),
    Case("exchange.delayed", exchange("4.4.7", "smtp;400 4.4.7 Message delayed", "delayed"), "deferred", A, "4.4.7", 400),
    Case("gmail.unknown", gmail("5.1.1", GONE), "bounced", A, "5.1.1", 550),
    Case("gmail.disabled", gmail("5.2.1", "smtp; 550-5.2.1 The email account that you tried to reach is inactive. Learn more at\n 550 5.2.1 https://support.google.example/ p=DisabledUser"), "bounced", A, "5.2.1", 550),
    Case("gmail.full", gmail("5.2.2", "smtp; 552-5.2.2 The recipient's inbox is out of storage space. Please direct the\n 552 5.2.2 recipient to https://support.google.example"), "bounced", A, "5.2.2", 552),
    Case("gmail.unauthenticated", gmail("5.7.26", "smtp; 550-5.7.26 Your email has been blocked because the sender is unauthenticated.\n 550 5.7.26 gsmtp"), "bounced", A, "5.7.26", 550),
    Case("gmail.dns", gmail("5.1.2", "smtp; The recipient server did not accept our requests to connect. DNS Error: domain name not found"), "bounced", A, "5.1.2", 550),
    Case("gmail.delayed", gmail("4.4.2", "smtp; The recipient server did not accept our requests to connect.", "delayed"), "deferred", A, "4.4.2", 450),
    Case("sendmail.unknown", sendmail("5.1.1", "SMTP; 550 5.1.1 <anna@example.com>... User unknown"), "bounced", A, "5.1.1", 550),
    Case("sendmail.host", sendmail("5.1.2", "SMTP; 550 Host unknown"), "bounced", A, "5.1.2", 550),
    Case("sendmail.delayed", sendmail("4.2.0", "SMTP; 450 4.2.0 Mailbox busy", "delayed"), "deferred", A, "4.2.0", 450),
    Case("courier.unknown", courier("5.0.0", "smtp; 550 User unknown."), "bounced", A, "5.0.0", 550),
    Case("courier.x-unix", courier("5.7.1", "x-unix; /usr/bin/procmail: quota exceeded"), "bounced", A, "5.7.1", 550),
    Case("ses.unknown", ses("5.1.1", "smtp; 550 5.1.1 user unknown"), "bounced", A, "5.1.1", 550),
    Case("ses.yahoo", ses("5.0.0", "smtp; 554 delivery error: dd This user doesn't have a yahoo.com account [0] - mta4.mail.example"), "bounced", A, "5.0.0", 554),
    Case("domino.unknown", domino("5.1.1"), "bounced", A, "5.1.1", 550),
    Case("domino.plain", domino("5.0.0"), "bounced", A, "5.0.0", 550),
    Case("eai.unknown", eai("5.1.1", "smtp; 550 5.1.1 Unknown"), "bounced", "änna@example.com", "5.1.1", 550),
    Case("qmail.refused", qmail("192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 No such user\nGiving up on 192.0.2.1."), "bounced", A, "5.1.1", 550, False),
    Case("qmail.vpopmail", qmail("Sorry, no mailbox here by that name. (#5.1.1)"), "bounced", A, "", None, False),
    Case("qmail.dns", qmail("Sorry, I couldn't find any host named example.com. (#5.1.2)"), "bounced", A, "", None, False),
    Case("old-exim.unknown", old_exim("SMTP error from remote mail server after RCPT TO:<anna@example.com>:\n    host mx.example.com [192.0.2.1]: 550 5.1.1 User unknown"), "bounced", A, "5.1.1", 550, False),
    Case("old-exim.plain", old_exim("unrouteable mail domain \"example.com\""), "bounced", A, "", None, False),
]  # fmt: skip

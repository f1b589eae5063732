# ruff: noqa: E501 — answers are quoted whole, as servers wrote them
"""Answers of real mail servers, each with the class it must get: `phase | reply | class`.

A reply of several lines is written on one with ` / ` between. `(…)` in place of a code is what the client saw instead.
"""

REPLIES = """
dot | 250 2.0.0 OK  1709370000 a1-20020a170902b20100b001d8 si123 - gsmtp | accepted
dot | 250 2.0.0 Ok: queued as 4TpX2s3nqLz9sXk | accepted
dot | 250 OK id=1rgxYt-0004Qd-1K | accepted
dot | 250 2.6.0 <m1@example.com> [InternalId=123, Hostname=AM0PR01.eurprd01.prod.exchangelabs.com] Queued mail for delivery | accepted
dot | 250 Ok 0102018e0b-6d3f | accepted
dot | 250 ok dirdel | accepted
dot | 251 User not local; will forward | accepted
dot | 250 2.1.5 OK, 5.7.1 is only quoted here | accepted
quit | 421 4.4.2 connection dropped | accepted
quit | (connection closed) | accepted
quit | 554 nonsense | accepted
dot | (connection reset by peer) | unknown
dot | (no answer in 600 s) | unknown
dot | (unreadable answer) | unknown
dot | 354 again | unknown
connect | (connection refused) | transport
connect | (no answer in 30 s) | transport
connect | (name or service not known) | transport
connect | (network is unreachable) | transport
greeting | (connection closed) | transport
ehlo | (connection reset by peer) | transport
starttls | (handshake failure) | transport
starttls | (certificate verify failed: self-signed certificate) | config
starttls | (certificate verify failed: Hostname mismatch, certificate is not valid for 'mail.example.com') | config
connect | (certificate has expired) | config
auth | (connection closed) | transport
mail | (connection closed) | transient
rcpt | (connection reset by peer) | transient
data | (connection closed) | transient
body | (broken pipe) | transient
body | (no answer in 180 s) | transient
greeting | 421 4.3.2 Service not available | transport
greeting | 421 Service not available, closing transmission channel | transport
greeting | 421 mx.example.com Service temporarily unavailable | transport
greeting | 450 4.3.2 Please try again later | transport
greeting | 554 No SMTP service here | transport
greeting | 554 5.3.2 We do not accept mail | transport
greeting | 500 not today | transport
greeting | 521 5.3.2 mx.example.com does not accept mail | transport
ehlo | 502 5.5.2 Error: command not recognized | transport
ehlo | 501 5.5.4 Invalid domain name | transport
ehlo | 421 4.4.2 Timeout | transport
starttls | 454 4.7.0 TLS not available due to temporary reason | transport
starttls | 502 5.5.1 STARTTLS not supported | transport
greeting | 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org | policy
greeting | 554-mx.example.net / Your access to this mail system has been rejected due to the sending MTA's poor reputation | policy
greeting | 550 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1 | policy
ehlo | 550 5.7.1 Your IP is on a blacklist | policy
greeting | 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes | throttle
greeting | 421 Too many connections from your IP | throttle
greeting | 421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1 | throttle
greeting | 421 Too many concurrent SMTP connections; please try again later. | throttle
auth | 535 5.7.8 Error: authentication failed: authentication failure | config
auth | 535-5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials | config
auth | 535 Authentication Credentials Invalid | config
auth | 534-5.7.9 Application-specific password required. | config
auth | 534 5.7.14 Please log in via your web browser and then try again. | config
auth | 530 5.7.0 Must issue a STARTTLS command first | config
auth | 538 5.7.11 Encryption required for requested authentication mechanism | config
auth | 504 5.7.4 Unrecognized authentication type | config
auth | 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. | config
auth | 454 4.7.0 Temporary authentication failure: Connection lost to authentication server | transport
auth | 454 4.7.0 Cannot authenticate due to temporary system problem. Try again later. | transport
auth | 421 4.4.2 Connection timed out | transport
mail | 530 5.7.0 Authentication required | config
mail | 530 5.7.0 Must issue a STARTTLS command first. gsmtp | config
mail | 530 5.7.57 Client not authenticated to send mail. | config
rcpt | 530 Authentication required | config
mail | 553 5.1.8 <news@example.com>: Sender address rejected: Domain not found | sender
mail | 550 5.1.7 <news@>: Sender address rejected | sender
mail | 550 5.1.8 Sender refused | sender
mail | 553 5.7.1 <news@example.com>: Sender address rejected: not owned by user other@example.com | sender
mail | 550 5.7.1 Sender not allowed | sender
mail | 554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: news@example.com | sender
dot | 554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: news@example.com | sender
dot | 550 5.7.60 SMTP; Client does not have permissions to send as this sender | sender
dot | 554 5.2.252 SendAsDenied; news@example.com not allowed to send as other@example.com | sender
dot | 550 5.7.501 Access denied, spam abuse detected | sender
dot | 550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP | sender
dot | 550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains | sender
rcpt | 550 5.1.8 Bad sender's system address | sender
rcpt | 550 5.1.7 Sender address invalid | sender
rcpt | 550 Sender verify failed | sender
rcpt | 550-Verification failed for <news@example.com> / No Such User Here / Sender verify failed | sender
rcpt | 553 sorry, your envelope sender is in my badmailfrom list | sender
mail | 552 5.3.4 Message size exceeds fixed limit | message
mail | 552 Message size exceeds maximum permitted | message
mail | 501 5.5.4 Syntax: MAIL FROM:<address> | message
mail | 503 5.5.1 Error: nested MAIL command | message
mail | 501 Syntactically invalid argument | message
mail | 450 4.1.8 <news@example.com>: Sender address rejected: Domain not found | transient
mail | 451 4.1.8 Domain of sender address does not resolve | transient
mail | 451 4.3.0 Temporary system problem. Try again later | transient
rcpt | 550-5.1.1 The email account that you tried to reach does not exist. Please try / double-checking the recipient's email address for typos or unnecessary spaces. | hard
rcpt | 550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in local recipient table | hard
rcpt | 550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in virtual mailbox table | hard
rcpt | 550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in relay recipient table | hard
rcpt | 550 5.1.1 <anna@example.com>: Email address could not be found, or was misspelled (G8) | hard
rcpt | 550 5.1.1 RESOLVER.ADR.RecipNotFound; not found | hard
rcpt | 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@example.com not found by SMTP address lookup | hard
rcpt | 550 5.1.1 User Unknown | hard
rcpt | 550 5.1.1 unknown or illegal alias: anna@example.com | hard
rcpt | 550 5.1.1 Mailbox unavailable | hard
rcpt | 550 5.1.1 <anna@example.com> recipient does not exist here | hard
rcpt | 550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 | hard
rcpt | 550 5.1.2 Bad destination system: no such domain | hard
rcpt | 550 5.1.2 <anna@gmial.example>: Recipient address rejected: Domain not found | hard
rcpt | 553 5.1.3 <anna@>: Recipient address rejected: malformed | hard
rcpt | 501 5.1.3 Bad recipient address syntax | hard
rcpt | 551 5.1.6 Recipient no longer on server | hard
rcpt | 553 5.1.2 We are not your mail server, no such domain here | hard
rcpt | 550 5.7.17 Mailbox owner has changed | hard
rcpt | 550 5.7.18 Domain owner has changed | hard
rcpt | 550 No such user here | hard
rcpt | 550 User unknown | hard
rcpt | 550 Unknown user | hard
rcpt | 550 Unrouteable address | hard
rcpt | 550 <anna@example.com>: User unknown | hard
rcpt | 550 Mailbox not found | hard
rcpt | 550 anna@example.com... No such user | hard
rcpt | 550 Invalid recipient anna@example.com | hard
rcpt | 550 Requested action not taken: mailbox unavailable | hard
rcpt | 550 5.5.0 Requested action not taken: mailbox unavailable | hard
rcpt | 551 User not local; please try <elsewhere@example.com> | hard
rcpt | 551 not our customer | hard
rcpt | 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1) | hard
rcpt | 553 5.3.0 <anna@example.com>... No such user | hard
rcpt | 554 5.5.1 Error: no valid recipients | hard
rcpt | 554 delivery error: dd This user doesn't have a yahoo.com account (anna@yahoo.com) [0] - mta1234.mail.bf1.yahoo.com | hard
dot | 554 delivery error: dd This user doesn't have a yahoo.com account (anna@yahoo.com) [-9] - mta1234.mail.ne1.yahoo.com | hard
dot | 552 1 Requested mail action aborted, mailbox not found | hard
rcpt | 550 Benutzer unbekannt | hard
rcpt | 550 Requested action not taken: mailbox unavailable. invalid DNS MX or A/AAAA resource record | hard
rcpt | 550 5.4.316 recipient not found | hard
rcpt | 550 #5.1.0 Address rejected. | hard
rcpt | 550 5.1.0 Address rejected anna@example.com: User unknown | hard
dot | 550 5.1.1 Recipient rejected after DATA | hard
dot | 550 5.1.10 Recipient not found | hard
rcpt | 550 5.1.0 Address rejected. | soft
rcpt | 550-5.2.1 The email account that you tried to reach is disabled. For more information, go to / https://support.google.com/mail/?p=DisabledUser | disabled
rcpt | 550 5.2.1 The email account that you tried to reach is inactive. | disabled
rcpt | 550 5.2.1 Mailbox disabled, not accepting messages | disabled
rcpt | 554 Account disabled | disabled
rcpt | 550 Account inactive as unread | disabled
rcpt | 554 30 Sorry, your message to anna@aol.com cannot be delivered. This mailbox is disabled (554.30). | disabled
rcpt | 550 Mailbox suspended | disabled
rcpt | 550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM0EUR02FT012.eop-EUR02.prod.protection.outlook.com] | likely
rcpt | 550 5.4.1 [anna@example.com]: Recipient address rejected: Access denied | likely
rcpt | 524 5.2.4 Mailing list expansion problem: <anna@example.com> | likely
rcpt | 550 5.4.4 Unable to route due to invalid recipient domain | domain
rcpt | 550 5.4.6 Routing loop detected | domain
dot | 550 5.4.7 Delivery expired (message too old) | domain
dot | 554 5.4.14 Hop count exceeded - possible mail loop ATTR34 | domain
rcpt | 550 5.4.310 DNS domain example.invalid does not exist | domain
dot | 550 5.4.312 DNS query failed | domain
rcpt | 452-4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to / https://support.google.com/mail/?p=OverQuotaTemp | quota
rcpt | 552-5.2.2 The email account that you tried to reach is over quota and inactive. | quota
rcpt | 452 4.2.2 The recipient's inbox is out of storage space. | quota
dot | 552 5.2.2 Mailbox full | quota
rcpt | 550 5.2.2 <anna@example.com>: Quota exceeded (mailbox for user is full) | quota
rcpt | 422 Recipient's mailbox is full | quota
rcpt | 452 Mailbox full | quota
rcpt | 552 Mailbox is full | quota
rcpt | 550 Mailbox quota exceeded | quota
rcpt | 552 <anna@example.com> user is over quota | quota
rcpt | 450 The user's mailbox is over quota, try again later | quota
dot | 554 5.2.2 mailbox full / STOREDRV.Deliver; recipient mailbox is full | quota
rcpt | 552 RCPT TO:<anna@web.de> Mailbox disk quota exceeded | quota
dot | 550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM. | policy
dot | 550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy. | policy
dot | 550 5.7.27 The sender's domain does not pass SPF | policy
dot | 550 5.7.30 The sending IP did not pass DKIM | policy
dot | 550 5.7.25 The IP address sending this message does not have a PTR record setup | policy
dot | 550-5.7.1 [192.0.2.1 12] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked. | policy
dot | 550-5.7.1 [192.0.2.1 19] Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain. | policy
dot | 550 5.7.515 Access denied, sending domain example.com doesn't meet the required authentication level. | policy
rcpt | 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). | policy
mail | 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). | policy
rcpt | 550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/ | policy
rcpt | 550 5.7.511 Access denied, banned sender[192.0.2.1]. | policy
rcpt | 550 5.7.64 TenantAttribution; Relay Access Denied | policy
rcpt | 550 5.7.124 RESOLVER.RST.SenderNotInAllowedSendersList | policy
rcpt | 550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission | policy
rcpt | 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; sender not authenticated for group | policy
dot | 550 5.7.509 Access denied, sending domain example.com does not pass DMARC verification and has a DMARC policy of reject | policy
dot | 554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes | policy
dot | 554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit https://postmaster.yahooinc.com/error-codes | policy
mail | 553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html | policy
mail | 553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed. | policy
mail | 553 5.7.2 [TSS11] All messages from 192.0.2.1 will be permanently deferred | policy
rcpt | 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using b.barracudacentral.org | policy
rcpt | 554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied | policy
rcpt | 554 5.7.1 <anna@example.com>: Relay access denied | policy
rcpt | 550 relay not permitted | policy
rcpt | 550 Relaying denied | policy
rcpt | 550 5.7.1 Relaying denied. IP name lookup failed | policy
rcpt | 550-JunkMail rejected - mail.example.com [192.0.2.1] is in an RBL: https://www.spamhaus.org/query/ip/192.0.2.1 | policy
rcpt | 550 192.0.2.1 is blacklisted at bl.spamcop.net | policy
rcpt | 550 Administrative prohibition | policy
dot | 550 Administrative prohibition | policy
dot | 550 This message was classified as SPAM and may not be delivered | policy
dot | 550 spam message rejected. Please visit http://mail.163.com/help/help_spam_16.htm | policy
dot | 554 5.7.1 Spam message rejected | policy
dot | 554 Transaction failed / Reject due to policy restrictions. / For explanation visit https://postmaster.gmx.net/en/case?c=hi | policy
dot | 554 rejected due to virus | policy
dot | 552 5.7.0 This message was blocked because its content presents a potential security issue. | policy
dot | 550 5.7.0 Message rejected under suspicion of SPAM | policy
dot | 550 5.7.1 Message rejected due to content restrictions | policy
dot | 550 High probability of spam | policy
dot | 554 5.7.1 The message contains a URL listed in Spamhaus DBL | policy
dot | 521 5.2.1 : (CON:B1) https://postmaster-us.info.aol.com/error-codes#554conb1 blocked | policy
rcpt | 550 5.7.23 The message was rejected because of Sender Policy Framework violation | policy
rcpt | 550 SPF check failed for example.com | policy
rcpt | 504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname | policy
rcpt | 554 5.7.1 Recipient address rejected: Access denied | policy
rcpt | 571 Email from 192.0.2.1 is currently blocked by Verizon Online's anti-spam system. | policy
dot | 541 5.7.1 message rejected as spam | policy
dot | 451 4.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy | policy
rcpt | 450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1] | policy
rcpt | 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1] | policy
rcpt | 450 4.7.1 <mail.example.com>: Helo command rejected: Host not found | policy
rcpt | 451 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org | policy
rcpt | 421 4.7.1 : (DYN:T1) your IP has poor reputation | policy
dot | 552-5.3.4 Your message exceeded Google's message size limits. | message
dot | 552 5.3.4 Error: message file too big | message
dot | 552 Message size exceeds fixed maximum message size | message
dot | 554 5.6.0 Invalid message content | message
dot | 554 5.6.1 Body type not supported by Remote Host | message
dot | 550 5.6.0 Lone CR or LF in headers (see RFC2822 section 2.2) | message
dot | 550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds | message
dot | 550-5.7.1 Messages with multiple addresses in From: header are not accepted. | policy
dot | 550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient | message
rcpt | 503 5.5.1 RCPT first | message
data | 503 5.5.1 Bad sequence of commands | message
dot | 500 5.5.2 Error: bad syntax | message
dot | 554 5.5.0 Line too long | message
dot | 550 maximum allowed line length is 998 octets, got 1200 | message
dot | 521 5.5.2 mx.example.com Error: bare <LF> received | message
dot | 552 5.2.3 Message exceeds local size limit | message
dot | 421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. | throttle
rcpt | 421 4.7.28 [192.0.2.1] Our system has detected an unusual rate of mail | throttle
rcpt | 450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. | throttle
rcpt | 450 4.2.1 The user you are trying to contact is receiving mail too quickly. | throttle
dot | 421-4.7.0 [192.0.2.1 15] Our system has detected that this message is suspicious due to the nature of the content and/or the links within. | throttle
dot | 421 4.7.0 Try again later, closing connection. | throttle
mail | 421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1 | throttle
mail | 421 4.7.0 [TS02] Messages from 192.0.2.1 temporarily deferred due to unexpected volume | throttle
mail | 421 4.7.0 [TS03] All messages from 192.0.2.1 will be permanently deferred | throttle
mail | 421 4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred | throttle
mail | 421 4.7.1 [TS03] Messages temporarily deferred | throttle
rcpt | 451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719) | throttle
mail | 451 4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S775) | throttle
mail | 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. | throttle
rcpt | 421 RP-001 (SNT004) Unfortunately, some messages from 192.0.2.1 weren't sent. Exceeded the rate limit | throttle
mail | 454 Throttling failure: Maximum sending rate exceeded. | throttle
mail | 454 Throttling failure: Daily message quota exceeded. | throttle
mail | 421 Too many connections | throttle
rcpt | 450 4.7.1 Error: too much mail from 192.0.2.1 | throttle
mail | 450 4.7.1 Error: too many connections from 192.0.2.1 | throttle
mail | 421 4.4.5 Too many messages on this connection | throttle
mail | 421 too many messages in this session | throttle
rcpt | 452 Too many messages sent, rate limit reached | throttle
mail | 421 4.7.0 : (RLY:B1) deferred | throttle
rcpt | 421 Service refused, please try later. LPN007_510 slow down | throttle
rcpt | 450 4.7.1 Recipient rate limit exceeded | throttle
rcpt | 450 4.2.0 <anna@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html | greylist
rcpt | 451 4.7.1 Greylisting in action, please come back later | greylist
rcpt | 450 4.7.1 <anna@example.com>: Recipient address rejected: Try again in 300 seconds | greylist
rcpt | 451 Temporarily greylisted | greylist
rcpt | 451 4.7.1 Please try again later | greylist
rcpt | 451 4.7.1 Graylisted, retry in 5 minutes | greylist
rcpt | 450 You are being grey listed. Come back later | greylist
rcpt | 451 DT:SPM greylisting, first contact | greylist
rcpt | 452 4.5.3 Your message has too many recipients. | recipients
rcpt | 452 4.5.3 Error: too many recipients | recipients
rcpt | 452 Too many recipients received this hour | recipients
rcpt | 421 4.3.0 Temporary System Problem. Try again later | transport
data | 421 4.4.2 mx.example.com Error: timeout exceeded | transport
dot | 421 Timeout waiting for data from client. | transport
rcpt | 421 4.3.2 System shutting down | transport
rcpt | 450 4.1.1 <anna@example.com>: Recipient address rejected: unverified address: Address verification in progress | transient
rcpt | 450 4.1.2 <anna@example.com>: Recipient address rejected: Domain not found | transient
rcpt | 451 4.3.0 <anna@example.com>: Temporary lookup failure | transient
rcpt | 451 4.3.5 Server configuration problem | transient
rcpt | 451 Temporary local problem - please try later | transient
rcpt | 451 Could not complete sender verify callout | transient
dot | 451 4.3.0 Error: queue file write error | transient
dot | 452 4.3.1 Insufficient system storage | transient
rcpt | 451 4.4.0 Temporary DNS problem | transient
rcpt | 450 Requested mail action not taken: mailbox unavailable | transient
rcpt | 450 4.2.0 mailbox busy | transient
dot | 451 4.7.0 Temporary server error. Please try again later. PRX2 | transient
dot | 451-4.3.0 Mail server temporarily rejected message. | transient
rcpt | 451 Internal resource temporarily unavailable | transient
data | 451 local error in processing | transient
dot | 554 Transaction failed | soft
dot | 554 5.0.0 Failed | soft
dot | 550 Failed | soft
dot | 554 5.3.0 Other mail system problem | soft
rcpt | 550 5.3.0 Rejected | soft
rcpt | 535 5.7.0 Authentication required to relay | config
mail | 421 4.7.1 [GL01] Message from (192.0.2.1) temporarily deferred - 4.16.50 | greylist
dot | 554 Message too large | message
dot | 554 Transaction failed: Invalid header | message
rcpt | 550 5.2.0 Something is wrong with the mailbox | soft
dot | 550 5.0.350 Remote server returned an error | soft
rcpt | 556 5.1.9 whatever | soft
rcpt | 550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. | soft
"""

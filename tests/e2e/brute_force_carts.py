"""What clickstream/campaigns/cart-recovery.yaml must do to the file named first, counted from the semantics alone."""

import csv
import gzip
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta

HOUR, DAY, NEVER = timedelta(hours=1), timedelta(days=1), datetime(9999, 1, 1)
entered, reasons, sent, ended = 0, Counter(), Counter(), Counter()
shoppers = defaultdict(list)
with gzip.open(sys.argv[1], "rt", newline="") as file:
    for row in csv.DictReader(file):
        shoppers[row["user_id"]].append((datetime.fromisoformat(row["timestamp"]), row["event"]))
for events in shoppers.values():
    quiet = second = None  # when the settle timer fires (S6); when the open enrollment's second mail is due
    entries = []
    for at, event in [*sorted(events, key=lambda e: e[0]), (NEVER, "end")]:
        while min(quiet or NEVER, second or NEVER) < at:  # what falls due before this event
            if second and second <= (quiet or NEVER):
                sent["cart/second-look"] += 1
                ended["finished"] += 1
                second = None
            elif second:
                reasons["already in it"], quiet = reasons["already in it"] + 1, None  # S9
            elif entries and quiet < entries[-1] + 7 * DAY:  # S10: exactly met is enough
                reasons["re-entry too soon"], quiet = reasons["re-entry too soon"] + 1, None
            elif sum(e > quiet - 90 * DAY for e in entries) >= 3:
                reasons["re-entry limit"], quiet = reasons["re-entry limit"] + 1, None
            else:
                entered, second = entered + 1, quiet + DAY  # S17: a day from the release of the first mail
                sent["cart/reminder"] += 1
                entries, quiet = [*entries, quiet], None
        if event == "purchase":
            reasons["cancelled by purchase"] += quiet is not None  # S7
            ended["goal"], quiet, second = ended["goal"] + (second is not None), None, None  # S3
        elif event == "add_to_cart":
            quiet = at + HOUR
json.dump({"entered": entered, "not_entered": reasons, "sent": sent, "ended": ended}, sys.stdout)

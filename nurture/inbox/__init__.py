"""An inbox in the browser: mails that were sent on this machine, as their readers see them, with links that work."""

"""The real `openclaw` command, as `package-lock.json` has it; `scripts/install_openclaw.py` installs it."""

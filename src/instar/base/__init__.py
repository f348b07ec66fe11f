"""Floor 0: time, ids, errors, tasks and back-off. No word of the domain is known here."""

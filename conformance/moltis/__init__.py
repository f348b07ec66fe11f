"""What a stock Moltis node sends and what it requires of the answers, written from the protocol alone."""

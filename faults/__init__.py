"""What the hub survives, shown from outside."""

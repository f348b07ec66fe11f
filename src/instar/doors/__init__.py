"""Floor 5: how the outside speaks to the hub. One package a dialect; none knows another."""

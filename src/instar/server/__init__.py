"""Floor 6: the carriers, the guard, the life of the process. `app` alone knows everybody."""

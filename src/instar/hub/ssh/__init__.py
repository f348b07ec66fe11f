"""SSH targets: machines that the hub reaches by itself, and the keys that it shows them."""

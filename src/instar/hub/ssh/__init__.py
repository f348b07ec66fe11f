"""SSH targets: machines that the hub reaches by itself."""

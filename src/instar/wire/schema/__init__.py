"""What other programs read about the wire: OpenAPI 3.1, AsyncAPI 3.0 and JSON Schema, made from the operation table."""

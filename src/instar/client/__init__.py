"""The typed Python client: `http` for short synchronous calls, `stream` for feeds, `link` for the native link.

`http` imports nothing but the standard library and the light half of `base` and `wire`, so that a command that sends
one message starts fast; `link` brings msgspec and websockets.
"""

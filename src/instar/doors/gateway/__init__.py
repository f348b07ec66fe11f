"""The gateway's door: OpenClaw and Moltis clients over one WebSocket, translated to operations of the hub."""

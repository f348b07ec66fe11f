"""The native door: Moltnet's http.v1, SSE and attach.v1, and our own link `instar.v1`, on `/v1/*`."""

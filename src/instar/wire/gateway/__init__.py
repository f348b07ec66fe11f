"""The gateway's dialect: OpenClaw's generations 3 and 4 and Moltis, as frames, machines and one table of methods."""

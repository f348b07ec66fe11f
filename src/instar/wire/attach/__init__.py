"""The dialect `moltnet.attach.v1`: frames and both ends of its machine."""

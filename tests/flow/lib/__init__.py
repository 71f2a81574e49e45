"""What the scenarios are written with: the gateway as a process, scripted upstreams, raw clients, access records."""

"""The PROXY protocol: who a load balancer speaks for."""

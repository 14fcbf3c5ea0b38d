"""Names that the tests of the packages share."""

SENSOR = "levo-ebpf-sensor"
CONFIG = "/etc/levo/sensor/config.yaml"
NGINX = b"""
daemon off;
user root;
worker_processes 1;
error_log /dev/null;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_requests 1000000;
  server { listen 127.0.0.1:8080; location / { default_type application/json; return 200 '{"fine":true}'; } }
}
"""

"""nginx as a plain reverse proxy: the practical limit of one hop."""

from __future__ import annotations

import os
import shutil
import subprocess

from bench.contestant import Contestant

CONFIG = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream provider {{ server {upstream}; keepalive 128; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


class Nginx(Contestant):
    name = "nginx"

    @classmethod
    def install(cls) -> None:
        if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            subprocess.run(["apt-get", "install", "-y", "-qq", "nginx-light"], check=True)

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "nginx.conf"
        upstream = self.upstream.removeprefix("http://").removesuffix("/v1")
        config.write_text(CONFIG.format(directory=self.directory, upstream=upstream, port=self.port))
        self.launch(["/usr/sbin/nginx", "-c", str(config)])

"""gunicorn triage.wsgi --config deploy/gunicorn.py"""

import os
from pathlib import Path

# Loopback unless told otherwise: only a container, or a machine behind a proxy, has a reason to listen wider.
bind = f"{os.environ.get('BIND_ADDRESS', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = 2
threads = 4
graceful_timeout = 20
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
control_socket_disable = True

# A worker proves that it lives by touching a file, which a slow disk must not delay.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir():
    worker_tmp_dir = str(MEMORY)

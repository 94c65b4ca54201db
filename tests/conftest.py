"""What all tests share: the repository on the path, two threads, no network, and a clean end."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")  # read when torch and numpy start


def pytest_sessionfinish(session, exitstatus):
    session.config.cliphead_status = int(exitstatus)


def pytest_unconfigure(config):
    """bpy 4.5 may hang when the interpreter ends, so the tests end the process themselves once all is reported."""
    if "bpy" in sys.modules and hasattr(config, "cliphead_status"):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.cliphead_status)

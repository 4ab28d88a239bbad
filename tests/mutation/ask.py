"""Ask `covering.py serve` whether the tests notice the present change; exit with 1 if they do."""

import socket
import sys

with socket.socket(socket.AF_UNIX) as asking:
    asking.connect("build/mutation/socket")
    sys.exit(int(asking.recv(1) or b"1"))

"""Jobs of a workflow in forked copies of one process, which has imported torch and the rest once.

`python job_server.py SOCKET` waits for jobs; `client(FOLDER, SOCKET)` writes a program `syncvoice` that sends it its
arguments, environment, folder and open files, and ends with the job's exit status. The job itself is the real command.
A study of some hundred jobs then takes seconds instead of minutes.
"""

import array
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

IMPORTS = (
    "torch", "lightning", "lhotse", "pandas", "scipy.signal", "soundfile", "soxr", "av", "cv2", "h5py", "mediapipe",
    "whisper", "matplotlib.pyplot", "jiwer", "onnxruntime", "torch._dynamo", "syncvoice.study",
    "syncvoice.commands.train", "syncvoice.training.run", "syncvoice.commands.prepare_shard", "syncvoice.commands.plot",
)  # fmt: skip
CLIENT = """#!{python} -SE
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    job = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    files = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    server.sendmsg([len(job).to_bytes(4, "big")], [files])
    server.sendall(job)
    sys.exit(int(server.recv(8) or 1))
"""


def client(folder: Path, address: Path) -> None:
    """Write the program `syncvoice` into a folder."""
    program = folder / "syncvoice"
    program.write_text(CLIENT.format(python=sys.executable, socket=str(address)))
    program.chmod(0o755)


def serve(address: str) -> None:
    """Run jobs until killed or left alone by who started this, each in a process of its own."""
    starter = os.getppid()
    for name in IMPORTS:
        importlib.import_module(name)
    EmiliaTokenizer().symbols("今天", "zh")  # reads the dictionaries of Mandarin
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the jobs' processes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(16)
        server.settimeout(5)
        while os.getppid() == starter:
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            if not os.fork():
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                job(connection)
            connection.close()


def job(connection: socket.socket) -> None:
    """Run one job and tell its exit status; never returns."""
    size, files, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    given = array.array("i")
    given.frombytes(files[0][2])
    for number, file in enumerate(given):
        os.dup2(file, number)
    data = b""
    while len(data) < int.from_bytes(size, "big"):
        data += connection.recv(1 << 20)
    arguments, folder, environment = json.loads(data)
    status = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        from syncvoice.cli import main

        status = main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(status).encode())
        os._exit(0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from syncvoice.text.tokenizer import EmiliaTokenizer
    from tests.end_to_end.miniature import shrink_networks

    shrink_networks()
    serve(sys.argv[1])

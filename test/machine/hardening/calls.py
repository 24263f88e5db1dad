# calls.py NAME [ARGUMENT]: one system call that no program makes on its own; prints its result, or why not.
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*arguments)
    return result if result >= 0 else os.strerror(ctypes.get_errno())


def open_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()
    return 'opened'


PTRACE_ATTACH, CLONE_FILES, CLONE_NEWUSER, CLONE_NEWNET = 16, 0x400, 0x10000000, 0x40000000
calls = {
    'tcp': lambda: open_socket(socket.AF_INET, socket.SOCK_STREAM),
    'unix': lambda: open_socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    'raw': lambda: open_socket(socket.AF_INET, socket.SOCK_RAW, 1),
    'packet': lambda: open_socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    'bluetooth': lambda: open_socket(31, socket.SOCK_RAW, 1),
    'alg': lambda: open_socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    'low-port': lambda: socket.create_server(('127.0.0.1', 81)) and 'listens',
    'high-port': lambda: socket.create_server(('127.0.0.1', 8181)) and 'listens',
    'mount': lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, None),
    'umount': lambda: call('umount2', b'/tmp', 2),
    'chroot': lambda: call('chroot', b'/tmp'),
    'chdir': lambda: call('chdir', b'/tmp'),
    'module': lambda: call('syscall', 313, 0, b'', 0),
    'reboot': lambda: call('reboot', 0),
    'ptrace': lambda: call('ptrace', PTRACE_ATTACH, int(sys.argv[2]), None, None),
    'unshare-user': lambda: call('unshare', CLONE_NEWUSER),
    'unshare-net': lambda: call('unshare', CLONE_NEWNET),
    'unshare-files': lambda: call('unshare', CLONE_FILES),
    'setuid': lambda: call('setuid', 0),
    'personality': lambda: call('personality', 0x0400000),
    'bpf': lambda: call('syscall', 321, 0, None, 0),
    'perf': lambda: call('syscall', 298, None, 0, -1, -1, 0),
}
try:
    print(calls[sys.argv[1]]())
except OSError as error:
    print(error.strerror)

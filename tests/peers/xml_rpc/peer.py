"""A client and a server, with Python's xmlrpc.

    peer.py client|example ADDR
    peer.py server
"""
import datetime
import sys
from xmlrpc.client import DateTime, Fault, ServerProxy
from xmlrpc.server import SimpleXMLRPCServer


def show(call, *arguments):
    try:
        print(repr(call(*arguments)))
    except Fault as fault:
        print('fault', fault.faultCode, fault.faultString)


def echoes(it):
    everything = [True, -1, 2**31 - 1, 2.5, 'a<&>"\'ü🦀\n', '', None, b'\0\x01\xff' * 100, [],
                  [1, ['x']], {}, {'a': {'b': [None]}, 'ü': 1}]
    for value in everything:
        assert it.echo(value) == value, value
    assert it.echo('x' * 100_000) == 'x' * 100_000
    # It has no i8 to write, but reads it.
    show(it.multiply, 2**31 - 1, 2**31 - 1)
    # What is no type of Rust's comes as a text.
    show(it.echo, DateTime('19980717T14:08:55'))
    show(it.echo, datetime.datetime(1998, 7, 17, 14, 8, 55))


def client(it):
    show(it.add, 10, 5)
    show(it.divide, 10, 4)
    show(it.divide, 10, 5)
    show(it.sayHi, 'Jürgen 🦀')
    show(it.sleep, 1)
    echoes(it)
    show(it.divide, 1, 0)
    show(it.add, 1)
    show(it.add, 1, 'two')
    show(it.nowhere)
    show(it.panic)
    show(it.system.listMethods)
    show(it.add, 1, 2)


def example(it):
    show(it.sayHi, 'phyger')
    for name in 'add', 'subtract', 'multiply', 'divide':
        show(getattr(it, name), 10, 5)
    echoes(it)
    show(it.noop)
    show(it.fail, 7, 'no')


class Handler:
    def add(self, a, b):
        return a + b

    def divide(self, a, b):
        return a / b

    def echo(self, value):
        return value

    def kinds(self, *values):
        return [type(value).__name__ for value in values]

    def all(self):
        return [1, 2.0, 'ü🦀', b'\0\xff', None, True, {'a': []}, DateTime('19980717T14:08:55')]

    def long(self):
        return 'long' * 10_000

    def fail(self, code, message):
        raise Fault(code, message)

    def break_(self):
        raise ValueError('broken')


def serve():
    server = SimpleXMLRPCServer(('127.0.0.1', 0), allow_none=True, use_builtin_types=True)
    server.register_introspection_functions()
    server.register_instance(Handler())
    print('listening on 127.0.0.1:%d' % server.server_address[1], flush=True)
    server.serve_forever()


if sys.argv[1] == 'server':
    serve()
with ServerProxy('http://' + sys.argv[2], allow_none=True, use_builtin_types=True) as it:
    {'client': client, 'example': example}[sys.argv[1]](it)

"""A client and a server, with jsonrpclib-pelix.

    peer.py client|example|specification ADDR
    peer.py server
"""
import sys

from jsonrpclib import MultiCall, ProtocolError, ServerProxy
from jsonrpclib.jsonrpc import Fault
from jsonrpclib.SimpleJSONRPCServer import SimpleJSONRPCServer


def show(call, *arguments, **named):
    try:
        print(repr(call(*arguments, **named)))
    except ProtocolError as error:
        print('error', *error.args[0])


def echoes(it):
    everything = [True, -1, 2**63 - 1, 2**64 - 1, 2.5, 'a"\\/ü🦀\n\0', '', None, [], [1, ['x']],
                  {}, {'a': {'b': [None]}, 'ü': 1}]
    for value in everything:
        assert it.echo(value) == value, value
        assert it.echo(value=value) == value, value
    assert it.echo('x' * 100_000) == 'x' * 100_000


def client(it):
    show(it.add, 10, 5)
    show(it.subtract, b=5, a=10)
    show(it.divide, 10, 4)
    show(it.divide, 10, 5)
    show(it.sayHi, 'Jürgen 🦀')
    show(it.ping)
    show(it.sleep, 1)
    echoes(it)
    show(it._notify.add, 1, 2)
    show(it._notify.nowhere)
    show(it.divide, 1, 0)
    show(it.divide, b=0, a=1)
    show(it.add, 2**63 - 1, 1)
    show(it.add, 1)
    show(it.add, 1, 'two')
    show(it.add, a=1, c=2)
    show(it.nowhere)
    show(it.panic)
    batch(it)
    show(it.add, 1, 2)


def batch(it):
    calls = MultiCall(it)
    calls.add(1, 2)
    calls._notify.add(3, 4)
    calls.divide(1, 0)
    calls.nowhere()
    calls.subtract(b=1, a=3)
    outcomes = calls()
    for number in range(len(outcomes)):
        show(lambda: outcomes[number])
    # Nobody answers a batch of notifications.
    calls._notify.add(1, 2)
    calls._notify.nowhere()
    print(len(calls()))


def example(it):
    for name in 'add', 'subtract', 'multiply', 'divide':
        show(getattr(it, name), 10, 5)
        show(getattr(it, name), a=10, b=5)
    show(it.add, 0.5, 1)
    show(it.divide, 1, 0)
    echoes(it)


def specification(it):
    show(it.subtract, 42, 23)
    show(it.subtract, 23, 42)
    show(it.subtract, subtrahend=23, minuend=42)
    show(it.subtract, minuend=42, subtrahend=23)
    show(it._notify.update, 1, 2, 3, 4, 5)
    show(it.foobar)
    show(it.sum, 1, 2, 4)
    show(it.get_data)


def divide(a, b):
    # What a procedure raises is Server error (-32603) and no more.
    return Fault(-32000, 'division by zero', data=[a]) if b == 0 else a / b


class Texts:
    seen = 0

    def notify(self, text):
        assert text == 'nobody answers'
        self.seen += 1


def serve():
    server = SimpleJSONRPCServer(('127.0.0.1', 0), logRequests=False)
    texts = Texts()
    server.register_function(lambda a, b: a + b, 'add')
    server.register_function(divide, 'divide')
    server.register_function(lambda value: value, 'echo')
    server.register_function(lambda *values: [type(it).__name__ for it in values], 'kinds')
    server.register_function(lambda: 1 / 0, 'broken')
    server.register_function(texts.notify, 'notify')
    server.register_function(lambda: texts.seen, 'notified')
    print('listening on 127.0.0.1:%d' % server.server_address[1], flush=True)
    server.serve_forever()


if sys.argv[1] == 'server':
    serve()
roles = {'client': client, 'example': example, 'specification': specification}
roles[sys.argv[1]](ServerProxy('http://' + sys.argv[2]))

"""Clients and a server, with thriftpy2 and Apache Thrift.

    peer.py client|demo|calculator ADDR           every system with every transport
    peer.py server thriftpy2|apache buffered|framed
"""
import pathlib
import sys
import types

import thriftpy2
from thriftpy2.rpc import make_client, make_server
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory

import apache

TRANSPORTS = {'buffered': TBufferedTransportFactory, 'framed': TFramedTransportFactory}


def load(system, file):
    declared = thriftpy2.load(str(file), module_name=file.stem + '_thrift')
    if system == 'apache':
        classes = {name: it for name, it in vars(declared).items() if hasattr(it, 'thrift_spec')}
        converted = {name: apache.convert(it) for name, it in classes.items()}
        return types.SimpleNamespace(**{**vars(declared), **converted})
    return declared


def connect(system, service, address, transport):
    host, port = address.rsplit(':', 1)
    if system == 'apache':
        return apache.Client(service, (host, int(port)), transport)
    return make_client(service, host, int(port), trans_factory=TRANSPORTS[transport]())


def serve(system, service, handler, transport):
    if system == 'apache':
        server, listener = apache.server(service, handler, '127.0.0.1', transport)
    else:
        factory = TRANSPORTS[transport]()
        server = make_server(service, handler, '127.0.0.1', trans_factory=factory)
        listener = server.trans
    # The system chooses the port. It is known when the server listens, so that is done here.
    listener.port = 0
    listener.listen()
    listener.listen = lambda: None
    bound = listener.handle if system == 'apache' else listener.sock
    print('listening on 127.0.0.1:%d' % bound.getsockname()[1], flush=True)
    server.serve()


def show(call, *arguments):
    try:
        print(call(*arguments))
    except Exception as error:
        said = (getattr(error, name, None) for name in ('type', 'code', 'message', 'reason'))
        print(type(error).__name__, *(it for it in said if it is not None), sep=': ')


def client(t, it):
    show(it.add, 10, 5)
    show(it.divide, 10, 4)
    show(it.divide, 1, 0)
    show(it.ping)
    show(it.login, 'Jürgen', '🦀')
    show(it.notify, 'nobody answers')
    show(it.nothing)
    show(it.find)
    show(it.flag, True, -128, 32767, -2**31, 0.1)
    show(it.reversed, 5, 1)
    paths = it.paths({1, 2}, t.Color.GREEN, t.Point(x=7, y=8), {1: True}, b'\xff\x00')
    show(lambda: [(name, [(p.x, p.y, p.label) for p in points]) for name, points in paths.items()])
    show(it.panic)
    show(it.nowhere)
    show(it.add, 1, 2)


class Handler:
    def __init__(self, t):
        self.t, self.texts = t, 0

    def add(self, a, b):
        return a + b

    def divide(self, a, b):
        if b == 0:
            raise self.t.DivideByZero(message='division by zero')
        return a / b

    def ping(self):
        return 'pong'

    def login(self, username, password):
        return f'{username} {password}'

    def notify(self, text):
        self.texts += 1

    def nothing(self):
        pass

    def find(self):
        raise self.t.NotFound(code=404, reason='not there')

    def flag(self, b, c, d, e, f):
        return (b, c, d, e, f) == (True, -128, 32767, -2**31, 0.1)

    def reversed(self, e, a):
        return [e, a, self.texts]

    def paths(self, s, color, p, m, raw):
        assert (set(s), color, (p.x, p.y, p.label), m, raw) == ({1, 2}, 5, (7, 8, None), {1: True}, b'\xff\x00')
        return {'a': [self.t.Point(x=1, y=-2), self.t.Point(x=3, y=4, label='z')]}


def demo(t, it):
    show(it.add, 10, 5)
    show(it.multiply, -3, 7)
    show(it.divide, 10, 4)
    show(it.ping)
    show(it.sayHi, 'Jürgen 🦀')
    show(it.sleep, 1)
    show(it.divide, 1, 0)
    show(it.add, 2**63 - 1, 1)
    show(it.nowhere)
    show(it.panic)
    show(it.add, 1, 2)


def calculator(t, it):
    show(it.add, 10, 5)
    show(it.subtract, 10, 5)
    show(it.multiply, 10, 5)
    show(it.divide, 10, 4)
    show(it.divide, 10, 0)
    show(it.echo, 'echo')
    before = it.notified()
    it.notify('one')
    it.notify('two')
    show(lambda: it.notified() == before + 2)
    show(it.nothing)


# The file that each role needs, the service in it, and what a client does with that.
CLIENTS = {
    'client': ('all.thrift', 'All', client),
    'demo': ('more.thrift', 'More', demo),
    'calculator': ('calculator.thrift', 'Calculator', calculator),
}

if __name__ == '__main__':
    role, *arguments = sys.argv[1:]
    file, service, work = CLIENTS.get(role, CLIENTS['client'])
    for system in ['thriftpy2', 'apache']:
        t = load(system, pathlib.Path(__file__).with_name(file))
        if arguments[0] == system:
            serve(system, t.All, Handler(t), arguments[1])
        for transport in [] if role == 'server' else TRANSPORTS:
            print(system, transport)
            work(t, connect(system, getattr(t, service), arguments[0], transport))

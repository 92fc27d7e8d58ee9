"""A client and a server, with hprose.

    peer.py client|example ADDR
    peer.py server
"""
import datetime
import sys
import urllib.request
import uuid
from wsgiref.simple_server import WSGIRequestHandler, make_server

import hprose


def show(call, *arguments, **options):
    try:
        print(repr(call(*arguments, **options)))
    except hprose.HproseException as error:
        print('error', error)


class Person:
    def __init__(self, name, age):
        self.name, self.age = name, age


def echoes(it):
    same = {'the same': 'the same'}
    everything = [True, 0, 9, 10, -1, 2**31, -2**63, 2**64 - 1, 2.5, 1e100, float('inf'), '', 'a', 'ü',
                  'hello', 'a🦀b"', '🦀🦀🦀', b'', b'\0"z\xff', [], [1, ['x']], {}, {'a': {'b': [None]}},
                  [same, same, 'the same'], {7: 'seven'}]
    for value in everything:
        came = it.echo(value)
        assert came == value or came == {'7': 'seven'}, (value, came)
    assert it.echo(None) is None
    show(it.echo, datetime.datetime(2012, 12, 21, 15, 14, 35, 123456))
    show(it.echo, datetime.datetime(2012, 12, 21, 15, 14, 35, tzinfo=datetime.timezone.utc))
    show(it.echo, datetime.date(2012, 12, 29))
    show(it.echo, datetime.time(3, 21, 59))
    show(it.echo, uuid.UUID('AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6'))
    tommy = Person('Tommy', 24)
    show(it.echo, [tommy, Person('Jerry', 19), tommy, 'Tommy'])
    itself = []
    itself.append(itself)
    show(it.echo, itself)


def client(it):
    show(it.add, 10, 5)
    show(it.divide, 10, 4)
    show(it.divide, 10, 5)
    show(it.sayHi, 'Jürgen 🦀')
    show(it.SAYHI, 'me')
    show(it.ping)
    show(it.sleep, 1)
    show(it.echo, 'back', byref=True)
    echoes(it)
    show(it.divide, 1, 0)
    show(it.add, 1)
    show(it.nowhere)
    show(it.panic)
    show(it.add, 1, 2)


def example(it):
    show(it.sayHi, 'phyger')
    show(it.sayBye, 'phyger')
    show(it.ping)
    same = ['same']
    show(it.pair, same, same)
    for name in 'add', 'subtract', 'multiply', 'divide':
        show(getattr(it, name), 10, 5)
    echoes(it)


def add(a, b):
    return a + b


def divide(a, b):
    return a / b


def echo(value):
    return value


def kinds(*values):
    return [type(value).__name__ for value in values]


def all():
    same = 'the same'
    date = datetime.datetime(2012, 12, 21, 15, 14, 35)
    guid = uuid.UUID('AFA7F4B1-A64D-46FA-886F-ED7FBCE569B6')
    return [same, same, 'a🦀b', b'\0\xff', None, 2**64 - 1, date, guid, Person('Tommy', 24), 'Tommy']


def fail(message):
    raise ValueError(message)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def serve():
    service = hprose.HttpService()
    service.addFunctions([add, divide, echo, kinds, all, fail])
    server = make_server('127.0.0.1', 0, service, handler_class=Quiet)
    print('listening on 127.0.0.1:%d' % server.server_port, flush=True)
    server.serve_forever()


if sys.argv[1] == 'server':
    serve()
address = 'http://' + sys.argv[2]
print(urllib.request.urlopen(address).read().decode())
{'client': client, 'example': example}[sys.argv[1]](hprose.HttpClient(address))

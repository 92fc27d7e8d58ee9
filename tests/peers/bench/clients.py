"""The tutorials' clients, one call at a time: prints answers per second of waiting, and calls per
second.

    clients.py SYSTEM ADDR WARM_UP TIME           both times in seconds

A client packs and sends a call, waits, and receives and unpacks the answer. What it sees of the
server is the waiting: the time that passes less the time that a core works for the client's process,
for all its threads and for what the kernel does in its name. On one core that is what the server
does and two switches between the processes; with a core each, also the time that it takes to wake
one up. The rest is the client's own, whatever the server is.
"""
import pathlib
import sys
import time


def thrift(address):
    import thriftpy2
    from thriftpy2.rpc import make_client
    host, port = address.split(':')
    file = pathlib.Path(__file__).parents[1] / 'thrift' / 'foo.thrift'
    foo = thriftpy2.load(str(file), module_name='foo_thrift')
    client = make_client(foo.PingPong, host, int(port))
    return client.ping, 'pong'


def json_rpc(address):
    from jsonrpclib import Server
    client = Server('http://' + address)
    return lambda: client.add(10, 5), 15


def xml_rpc(address):
    from xmlrpc.client import ServerProxy
    client = ServerProxy('http://' + address, allow_none=True)
    return lambda: client.sayHi('phyger'), 'Hi phyger!'


def hprose(address):
    from hprose import HttpClient
    client = HttpClient('http://' + address + '/')
    # Its tutorial has another greeting than the others.
    return lambda: client.sayHi('phyger').replace(',', ' '), 'Hi phyger!'


def grpc(address):
    import grpc
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'grpc'))
    pb2, pb2_grpc = grpc.protos_and_services('calculator.proto')
    stub = pb2_grpc.CalculatorStub(grpc.insecure_channel(address))
    return lambda: stub.Add(pb2.AddRequest(a=10, b=5)).result, 15


def rates(call, expected, seconds):
    start, own, calls = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - start) < seconds:
        assert call() == expected
        calls += 1
    own = time.process_time() - own
    return calls / (passed - own), calls / passed


system, address, *times = sys.argv[1:]
call, expected = globals()[system](address)
figures = [rates(call, expected, float(seconds)) for seconds in times]
print(*figures[-1], flush=True)

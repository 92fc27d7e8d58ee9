"""The tutorials' clients: prints how many answers they see for each second that they wait, and in all.

    clients.py SYSTEM ADDR WARM_UP TIME           both times in seconds

As the tutorials have them: a client connects, makes its calls, and ends; then comes the next one.
With `-kept` after the system, a single one makes its first call again and again.

A client packs and sends a call, waits, and receives and unpacks the answer. What it sees of the
server is the waiting: the time that passes less the time that a core works for the client's process,
for all its threads and for what the kernel does in its name. On one core that is what the server
does and two switches between the processes; with a core each, also the time that it takes to wake
one up. The rest is the client's own, whatever the server is.
"""
import pathlib
import sys
import time
from contextlib import closing, nullcontext


def thrift(address):
    import thriftpy2
    from thriftpy2.rpc import make_client
    host, port = address.split(':')
    file = pathlib.Path(__file__).parents[1] / 'thrift' / 'foo.thrift'
    foo = thriftpy2.load(str(file), module_name='foo_thrift')

    def calls(client):
        yield client.ping(), 'pong'
        yield client.login('root', 'pwd'), ' Login successful !'
    return lambda: closing(make_client(foo.PingPong, host, int(port))), calls


def json_rpc(address):
    from jsonrpclib import Server

    def calls(client):
        yield client.add(10, 5), 15
        yield client.subtract(10, 5), 5
        yield client.multiply(10, 5), 50
        yield client.divide(10, 5), 2
    return lambda: Server('http://' + address), calls


def xml_rpc(address):
    from xmlrpc.client import ServerProxy

    def calls(client):
        yield client.sayHi('phyger'), 'Hi phyger!'
    return lambda: ServerProxy('http://' + address, allow_none=True), calls


def hprose(address):
    from hprose import HttpClient

    def calls(client):
        yield client.sayHi('phyger'), 'Hi,phyger!'
        yield client.sayBye('phyger'), 'Bye,phyger!'
    return lambda: nullcontext(HttpClient('http://' + address + '/')), calls


def grpc(address):
    import grpc
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'grpc'))
    pb2, pb2_grpc = grpc.protos_and_services('calculator.proto')

    def calls(channel):
        client = pb2_grpc.CalculatorStub(channel)
        yield client.Add(pb2.AddRequest(a=10, b=5)).result, 15
        yield client.Subtract(pb2.SubtractRequest(a=10, b=5)).result, 5
        yield client.Multiply(pb2.MultiplyRequest(a=10, b=5)).result, 50
        yield client.Divide(pb2.DivideRequest(a=10, b=5)).result, 2
    return lambda: grpc.insecure_channel(address), calls


def one_client_after_another(connect, calls):
    while True:
        with connect() as client:
            for got, expected in calls(client):
                assert got == expected, (got, expected)
                yield


def one_client(connect, calls):
    with connect() as client:
        while True:
            got, expected = next(calls(client))
            assert got == expected, (got, expected)
            yield


def rates(answers, seconds):
    start, own = time.perf_counter(), time.process_time()
    for count, _ in enumerate(answers):
        if (passed := time.perf_counter() - start) > seconds:
            break
    own = time.process_time() - own
    return count / (passed - own), count / passed


system, address, *times = sys.argv[1:]
system, _, kept = system.partition('-')
answers = (one_client if kept else one_client_after_another)(*globals()[system](address))
figures = [rates(answers, float(seconds)) for seconds in times]
print(*figures[-1], flush=True)

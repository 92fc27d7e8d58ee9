"""A client and a server, with grpcio.

    peer.py demo|client ADDR
    peer.py server
"""
import pathlib
import sys
import time
from concurrent import futures

import grpc

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent)]


def show(call, *arguments, **options):
    try:
        print(call(*arguments, **options))
    except grpc.RpcError as error:
        print(error.code().name, error.details(), sep=': ')


def demo(address):
    pb2, services = grpc.protos_and_services('demo.proto')
    with grpc.insecure_channel(address) as channel:
        it = services.DemoStub(channel)
        show(lambda: it.Add(pb2.Whole(a=10, b=5)).result)
        show(lambda: it.Add(pb2.Whole()).result)
        show(lambda: it.Multiply(pb2.Whole(a=-3, b=7)).result)
        show(lambda: it.Divide(pb2.Float(a=10, b=4)).result)
        show(lambda: it.Ping(pb2.Nothing()).text)
        show(lambda: it.SayHi(pb2.Name(name='Jürgen 🦀')).text)
        show(lambda: it.Sleep(pb2.Pause(ms=1)) == pb2.Nothing())
        show(it.Divide, pb2.Float(a=1))
        show(it.Add, pb2.Whole(a=2**63 - 1, b=1))
        # A method, a service and bytes that the file does not have.
        show(channel.unary_unary('/Demo/Nowhere'), b'')
        show(channel.unary_unary('/Nobody/Ping'), b'')
        show(channel.unary_unary('/Demo/Add'), b'\x0a\x01x')
        show(channel.unary_unary('/Demo/Add'), b'\x08')
        show(channel.unary_unary('/Demo/Panic'), b'')
        show(it.Sleep, pb2.Pause(ms=10_000), timeout=0.1)
        slow = it.Sleep.future(pb2.Pause(ms=1_000))
        sums = [it.Add.future(pb2.Whole(a=n, b=n)) for n in range(50)]
        print(sum(it.result().result for it in sums), slow.done())
        show(lambda: slow.result() == pb2.Nothing())


def kinds(pb2):
    return pb2.Kinds(
        a=True, b=-2**31, c=2**64 - 1, d=-7, e=2**32 - 1, f=-2**63, g=0.5, h=0.1, i='Jürgen 🦀', j=b'\xff\x00',
        k=pb2.BLUE, l=pb2.Point(x=1, next=pb2.Point(y=-1)), m=[-1, 2**62], n=['', 'a'], o=[pb2.Point(), pb2.Point(x=1)],
        p={'a': pb2.Point(x=3)}, q={-1: pb2.GREEN}, r=0, right='', s=[1.5, -0.0])


def client(address):
    pb2, services = grpc.protos_and_services('all.proto')
    with grpc.insecure_channel(address) as channel:
        it = services.AllStub(channel)
        show(lambda: it.Add(pb2.Pair(a=10, b=5)).result)
        show(lambda: it.Divide(pb2.Pair(a=10, b=4)).result)
        show(it.Divide, pb2.Pair(a=1))
        show(lambda: it.SayHello(pb2.Name(name='eric')).message)
        for given in [kinds(pb2), pb2.Kinds(), pb2.Kinds(left=0)]:
            show(lambda: it.Everything(given) == given)
        show(it.Fail, pb2.Failure(code=5, message='100 %\nJürgen 🦀'))
        show(it.Fail, pb2.Failure(code=99, message='another'))
        show(it.Fail, pb2.Failure(code=16, message=''))
        show(it.Panic, pb2.Nothing())
        show(it.Nowhere, pb2.Nothing())
        show(lambda: next(it.Watch(pb2.Nothing())))
        asked = [('token', 'good'), ('trace-bin', b'\x00\xff')]
        _, call = it.Add.with_call(pb2.Pair(a=1, b=2), metadata=asked)
        print(sorted((key, value) for key, value in call.trailing_metadata()))
        show(it.Add, pb2.Pair(a=1, b=2), metadata=[('token', 'bad')])
        show(it.Add, pb2.Pair(a=1, b=2), compression=grpc.Compression.Gzip)
        show(lambda: it.SayHello(pb2.Name(name='x' * 1_000_000)).message[-4:])


class Handler:
    def __init__(self, pb2):
        self.pb2 = pb2

    def Add(self, request, context):
        metadata = dict(context.invocation_metadata())
        if metadata.get('token') == 'bad':
            context.abort(grpc.StatusCode.PERMISSION_DENIED, 'no')
        if 'trace-bin' in metadata:
            context.set_trailing_metadata([('served-by', 'grpcio'), ('trace-bin', metadata['trace-bin'])])
        return self.pb2.Sum(result=request.a + request.b)

    def Divide(self, request, context):
        return self.pb2.Quotient(result=request.a / request.b)

    def Everything(self, request, context):
        if request != kinds(self.pb2) and request != self.pb2.Kinds():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, repr(request))
        return request

    def SayHello(self, request, context):
        return self.pb2.Greeting(message='Hello, %s!' % request.name)

    def Fail(self, request, context):
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.code], request.message)

    def Sleep(self, request, context):
        if request.ms == 0:
            # How long the caller still waits, in whole seconds.
            context.abort(grpc.StatusCode.ABORTED, str(round(context.time_remaining())))
        time.sleep(request.ms / 1000)
        return self.pb2.Nothing()


def serve():
    pb2, services = grpc.protos_and_services('all.proto')
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    handler = type('Servicer', (Handler, services.AllServicer), {})(pb2)
    services.add_AllServicer_to_server(handler, server)
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    print('listening on 127.0.0.1:%d' % port, flush=True)
    server.wait_for_termination()


if __name__ == '__main__':
    role, *arguments = sys.argv[1:]
    {'demo': demo, 'client': client, 'server': serve}[role](*arguments)

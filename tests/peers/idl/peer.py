"""What other systems make of the descriptions that ninestep prints.

    peer.py thrift FILE ADDR             calls the demo services through what thriftpy2 has read
    peer.py grpc FILE ADDR               the same through what Google's compiler has made
    peer.py shapes FILE                  what thriftpy2 has read
    peer.py proto FILE                   what Google's compiler has read
"""
import pathlib
import sys
import tempfile

role, file, *address = sys.argv[1:]


def thrift():
    import thriftpy2
    return thriftpy2.load(file, module_name='described_thrift')


def call(address):
    from thriftpy2.rpc import make_client
    host, port = address.split(':')
    it = make_client(thrift().Demo, host, int(port))
    print(it.add(10, 5), it.subtract(10, 5), it.multiply(10, 5), it.divide(10, 4))
    print(it.ping(), it.login('me', 'secret'), it.sayHi('Jürgen'), it.sayBye('Jürgen'), it.sleep(1))


def grpc(address):
    import grpc
    sys.path.insert(0, str(pathlib.Path(file).parent))
    pb2, pb2_grpc = grpc.protos_and_services(pathlib.Path(file).name)
    it = pb2_grpc.DemoStub(grpc.insecure_channel(address))
    print(it.Add(pb2.AddRequest(a=10, b=5)).result, it.Divide(pb2.DivideRequest(a=10, b=4)).result)
    print(it.Ping(pb2.PingRequest()).result, it.SayHi(pb2.SayHiRequest(name='Jürgen')).result,
          it.Sleep(pb2.SleepRequest(ms=1)) == pb2.SleepReply())


def shapes():
    t = thrift()
    print(*t.Shapes.thrift_services)
    for made in t.Point, t.Figure, t.StringAndListPoint:
        print(made.__name__, *(field[1] for field in made.thrift_spec.values()))
    print(t.Color._VALUES_TO_NAMES)


def proto():
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from grpc_tools import protoc
    path = pathlib.Path(file)
    with tempfile.NamedTemporaryFile() as output:
        arguments = ['protoc', f'-I{path.parent}', f'--descriptor_set_out={output.name}', path.name]
        assert protoc.main(arguments) == 0
        read = FileDescriptorSet.FromString(output.read()).file[0]
    for service in read.service:
        print(service.name, *(it.name + it.input_type + it.output_type for it in service.method))
    for message in read.message_type:
        print(message.name, *(f'{field.name}={field.number}' for field in message.field))


if role == 'thrift':
    call(*address)
elif role == 'grpc':
    grpc(*address)
else:
    {'shapes': shapes, 'proto': proto}[role]()

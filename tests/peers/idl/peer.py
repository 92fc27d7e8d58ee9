"""What other systems make of the descriptions that ninestep prints.

    peer.py thrift FILE ADDR             calls the demo services through what thriftpy2 has read
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
else:
    {'shapes': shapes, 'proto': proto}[role]()

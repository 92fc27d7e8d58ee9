"""The tutorial's client of HelloWorldService and of the calculator, and of its two nodes.

    rpc_client.py hello|calculator ADDR
    rpc_client.py nodes ADDR ADDR
"""
import pathlib
import sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))

role, *addresses = sys.argv[1:]
if role == 'hello':
    pb2, pb2_grpc = grpc.protos_and_services('hello.proto')
    with grpc.insecure_channel(addresses[0]) as channel:
        stub = pb2_grpc.HelloWorldServiceStub(channel)
        response = stub.SayHello(pb2.HelloRequest(name='eric'))
        print('hello client received: ' + response.message)
elif role == 'calculator':
    calculator_pb2, calculator_pb2_grpc = grpc.protos_and_services('calculator.proto')
    with grpc.insecure_channel(addresses[0]) as channel:
        stub = calculator_pb2_grpc.CalculatorStub(channel)
        print(stub.Add(calculator_pb2.AddRequest(a=10, b=5)).result)
        print(stub.Subtract(calculator_pb2.SubtractRequest(a=10, b=5)).result)
        print(stub.Multiply(calculator_pb2.MultiplyRequest(a=10, b=5)).result)
        print(stub.Divide(calculator_pb2.DivideRequest(a=10, b=5)).result)
        try:
            stub.Divide(calculator_pb2.DivideRequest(a=10, b=0))
        except grpc.RpcError as error:
            print(error.code().name, error.details(), sep=': ')
else:
    calculator_pb2, calculator_pb2_grpc = grpc.protos_and_services('calculator.proto')
    with grpc.insecure_channel(addresses[0]) as channel1:
        stub1 = calculator_pb2_grpc.AddStub(channel1)
        add_result = stub1.Add(calculator_pb2.AddRequest(a=10, b=5))
    with grpc.insecure_channel(addresses[1]) as channel2:
        stub2 = calculator_pb2_grpc.SubtractStub(channel2)
        subtract_result = stub2.Subtract(calculator_pb2.SubtractRequest(a=10, b=5))
    print('Add result:', add_result.result)
    print('Subtract result:', subtract_result.result)

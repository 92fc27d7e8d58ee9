"""The tutorial's servers.

    rpc_server.py hello|calculator
"""
import pathlib
import sys
from concurrent import futures

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parent))
hello_pb2, hello_pb2_grpc = grpc.protos_and_services('hello.proto')
calculator_pb2, calculator_pb2_grpc = grpc.protos_and_services('calculator.proto')


class Hello(hello_pb2_grpc.HelloWorldServiceServicer):
    def SayHello(self, request, context):
        return hello_pb2.HelloReply(message='Hello, %s!' % request.name)


class CalculatorServicer(calculator_pb2_grpc.CalculatorServicer):
    def Add(self, request, context):
        return calculator_pb2.AddReply(result=request.a + request.b)

    def Subtract(self, request, context):
        return calculator_pb2.SubtractReply(result=request.a - request.b)

    def Multiply(self, request, context):
        return calculator_pb2.MultiplyReply(result=request.a * request.b)

    def Divide(self, request, context):
        return calculator_pb2.DivideReply(result=request.a / request.b)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
if sys.argv[1] == 'hello':
    hello_pb2_grpc.add_HelloWorldServiceServicer_to_server(Hello(), server)
else:
    calculator_pb2_grpc.add_CalculatorServicer_to_server(CalculatorServicer(), server)
port = server.add_insecure_port('127.0.0.1:0')
server.start()
print('listening on 127.0.0.1:%d' % port, flush=True)
server.wait_for_termination()

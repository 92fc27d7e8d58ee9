"""The tutorial's server, but for its library, which no index has, and its address."""
from jsonrpclib.SimpleJSONRPCServer import SimpleJSONRPCServer


def add(a, b):
    return a + b


def subtract(a, b):
    return a - b


def multiply(a, b):
    return a * b


def divide(a, b):
    return a / b


server = SimpleJSONRPCServer(('127.0.0.1', 0), logRequests=False)
server.register_function(add)
server.register_function(subtract)
server.register_function(multiply)
server.register_function(divide)
print('listening on 127.0.0.1:%d' % server.server_address[1], flush=True)
server.serve_forever()

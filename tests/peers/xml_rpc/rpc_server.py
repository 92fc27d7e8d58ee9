"""The tutorial's server, but for its address."""
from xmlrpc.server import SimpleXMLRPCServer


# lcoal function
def sayHi(name):
    return f'Hi {name}!'


server = SimpleXMLRPCServer(('127.0.0.1', 0), allow_none=True)
server.register_function(sayHi)
print('listening on 127.0.0.1:%d' % server.server_address[1], flush=True)
server.serve_forever()

"""The tutorial's server, but for its address."""
from wsgiref import simple_server

import hprose

make_server = simple_server.make_server


def listening(*arguments):
    """Says which port the system has chosen: hprose makes its listener in `start`."""
    listener = make_server(*arguments)
    print('listening on 127.0.0.1:%d' % listener.server_port, flush=True)
    return listener


simple_server.make_server = listening


def sayHi(name):
    return f'Hi,{name}!'


def sayBye(name):
    return f'Bye,{name}!'


def main():
    # create rpc server instance
    server = hprose.HttpServer(host='localhost', port=0)
    # add more functions
    server.addFunctions([sayHi, sayBye])
    # start rpc server
    server.start()


main()

"""The tutorial's server, but for its address."""
import os

import thriftpy2
from thriftpy2.rpc import make_server

foo = os.path.join(os.path.dirname(__file__), 'foo.thrift')
pingpong_thrift = thriftpy2.load(foo, module_name='pingpong_thrift')


class Dispatcher(object):
    def ping(self):
        return 'pong'

    def login(self, username, password):
        return ' Login successful !'


server = make_server(pingpong_thrift.PingPong, Dispatcher(), '127.0.0.1')
server.trans.port = 0
server.trans.listen()
server.trans.listen = lambda: None
print('listening on 127.0.0.1:%d' % server.trans.sock.getsockname()[1], flush=True)
server.serve()

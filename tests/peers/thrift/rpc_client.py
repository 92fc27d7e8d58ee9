"""The tutorial's client, but for its address."""
import os
import sys

import thriftpy2
from thriftpy2.rpc import make_client

foo = os.path.join(os.path.dirname(__file__), 'foo.thrift')
pingpong_thrift = thriftpy2.load(foo, module_name='pingpong_thrift')
client = make_client(pingpong_thrift.PingPong, sys.argv[1], int(sys.argv[2]))
print(client.ping())
print(client.login('root', 'pwd'))

"""The tutorial's client, but for its address."""
import sys
from xmlrpc.client import ServerProxy

with ServerProxy('http://' + sys.argv[1], allow_none=True) as client:
    # call server function sayHi
    res = client.sayHi('phyger')
    print(res)

"""The tutorial's client, but for its library, which no index has, and its address."""
import sys
from jsonrpclib import Server

client = Server('http://' + sys.argv[1])
print(client.add(10, 5))
print(client.subtract(10, 5))
print(client.multiply(10, 5))
print(client.divide(10, 5))

"""The tutorial's client, but for its address."""
import sys

import hprose

# start rpc client
client = hprose.HttpClient('http://' + sys.argv[1])
# call server function sayHi & sayBye
res1 = client.sayHi('Python测试和开发')
res2 = client.sayBye('Python测试和开发')
print(res1, '\n' + res2)

"""The native wire in Python, one call at a time: python3 ninestep.py 127.0.0.1:9000 add 10 5"""
import io, socket, struct, sys

class Channel:
    def __init__(self, host, port): self.address = (host, port)
    def get_connection(self): return socket.create_connection(self.address)

class Fault(Exception):
    def __init__(self, code, message, data):
        super().__init__(f"{message} (fault {code})")
        self.code, self.message, self.data = code, message, data

def with_length(content):
    return struct.pack("!I", len(content)) + content

def take(source, form):
    """Reads exactly so many bytes, or one value of a struct format."""
    size = form if isinstance(form, int) else struct.calcsize("!" + form)
    content = source.read(size)
    if len(content) < size: raise ConnectionError("the bytes end too early")
    return content if isinstance(form, int) else struct.unpack("!" + form, content)[0]

def pack(value):
    if value is None: return b"_"
    if isinstance(value, bool): return struct.pack("!c?", b"?", value) # A bool is an int, too.
    if isinstance(value, int):
        return struct.pack("!cq", b"q", value) if value < 2**63 else struct.pack("!cQ", b"Q", value)
    if isinstance(value, float): return struct.pack("!cd", b"d", value)
    if isinstance(value, str): return b"s" + with_length(value.encode())
    if isinstance(value, bytes): return b"y" + with_length(value)
    if isinstance(value, (list, tuple)):
        return struct.pack("!cI", b"[", len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = (pack(str(name)) + pack(item) for name, item in value.items())
        return struct.pack("!cI", b"{", len(value)) + b"".join(pairs)
    raise TypeError(f"{value!r} has no form on the wire")

def unpack(source):
    tag = take(source, 1).decode("latin-1")
    if tag == "_": return None
    if tag in "?qQd": return take(source, tag)
    if tag == "s": return take(source, take(source, "I")).decode()
    if tag == "y": return take(source, take(source, "I"))
    if tag == "[": return [unpack(source) for _ in range(take(source, "I"))]
    if tag == "{": return {unpack(source): unpack(source) for _ in range(take(source, "I"))}
    raise ConnectionError(f"there is no tag {tag!r}")

class ClientStub:
    def __init__(self, channel):
        self.connection = channel.get_connection()
        self.replies = self.connection.makefile("rb") # Its `read` waits until all has come.
        self.greeting, self.id = b"9ST\x01", 0

    def call(self, name, /, *args, **kwargs):
        if args and kwargs: raise TypeError("give arguments by position or by name, not both")
        self.id += 1
        call = struct.pack("!cII", b"C", self.id, 0) + with_length(name.encode())
        self.connection.sendall(self.greeting + with_length(call + pack(kwargs or args)))
        self.greeting = b"" # It opens the connection, and is not repeated.
        while True:
            length = take(self.replies, "I")
            if length > 4 << 20: raise ConnectionError(f"a message of {length} bytes")
            body = io.BytesIO(take(self.replies, length))
            kind, id = take(body, "c"), take(body, "I")
            if kind == b"R" and id == self.id: return unpack(body)
            if kind == b"F" and id in (0, self.id): # Id 0 refuses the whole connection.
                raise Fault(take(body, "i"), take(body, take(body, "I")).decode(), unpack(body))
            if kind == b"B" and take(body, "I") < self.id:
                raise ConnectionError("the server is stopping and did not execute the call")

def argument(word):
    if not word.removeprefix("-").replace(".", "", 1).isdecimal(): return word
    return float(word) if "." in word else int(word)

if __name__ == "__main__":
    if len(sys.argv) < 3 or ":" not in sys.argv[1]: sys.exit(__doc__)
    address, name, *words = sys.argv[1:]
    try: print(ClientStub(Channel(*address.rsplit(":", 1))).call(name, *map(argument, words)))
    except ConnectionRefusedError: sys.exit(f"nobody listens at {address}; start a server there first")
    except (Fault, OSError) as why: sys.exit(str(why))

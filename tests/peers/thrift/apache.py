"""Apache Thrift's Python library without its compiler: what the compiler would write is made from
the Thrift file when it is loaded. Reading, writing and transports are all Apache's own."""
from thrift.protocol.TBase import TBase, TExceptionBase
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.transport import TSocket, TTransport

TRANSPORTS = {
    'buffered': TTransport.TBufferedTransportFactory,
    'framed': TTransport.TFramedTransportFactory,
}
made = {}


def convert(cls):
    """The Apache class for one that thriftpy2 has read from the file."""
    if cls not in made:
        names = [field[1] for field in cls.thrift_spec.values()]

        def init(self, **values):
            for name in names:
                setattr(self, name, values.get(name))

        base = TExceptionBase if issubclass(cls, Exception) else TBase
        made[cls] = type(cls.__name__, (base,), {'__slots__': names, '__init__': init})
        made[cls].__hash__ = object.__hash__
        spec = [None] * (max(cls.thrift_spec, default=-1) + 1)
        for number, field in cls.thrift_spec.items():
            kind, argument = convert_type(field[0], field[2] if len(field) == 4 else None)
            spec[number] = (number, kind, field[1], argument, None)
        made[cls].thrift_spec = tuple(spec)
    return made[cls]


def convert_type(kind, argument):
    if isinstance(kind, tuple):
        kind, argument = kind
    if kind == TType.STRUCT:
        return kind, [convert(argument), convert(argument).thrift_spec]
    if kind in (TType.LIST, TType.SET):
        return kind, (*convert_type(argument, None), False)
    if kind == TType.MAP:
        return kind, (*convert_type(argument[0], None), *convert_type(argument[1], None), False)
    if kind == TType.STRING:
        return kind, 'UTF8'
    # thriftpy2 has a number of its own for bytes.
    return (TType.STRING, 'BINARY') if kind == 18 else (kind, None)


class Client:
    def __init__(self, service, address, transport):
        self.service, self.number = service, 0
        self.transport = TRANSPORTS[transport]().getTransport(TSocket.TSocket(*address))
        self.protocol = TBinaryProtocolFactory().getProtocol(self.transport)
        self.transport.open()

    def __getattr__(self, name):
        return lambda *arguments: self.call(name, arguments)

    def call(self, name, arguments):
        protocol, self.number = self.protocol, self.number + 1
        given, result = (convert(getattr(self.service, f'{name}_{of}')) for of in ('args', 'result'))
        oneway = getattr(self.service, name + '_result').oneway
        kind = TMessageType.ONEWAY if oneway else TMessageType.CALL
        protocol.writeMessageBegin(name, kind, self.number)
        given(**dict(zip(given.__slots__, arguments))).write(protocol)
        protocol.writeMessageEnd()
        self.transport.flush()
        if oneway:
            return None
        answered, kind, number = protocol.readMessageBegin()
        assert (answered, number) == (name, self.number)
        outcome = TApplicationException() if kind == TMessageType.EXCEPTION else result()
        outcome.read(protocol)
        protocol.readMessageEnd()
        if kind == TMessageType.EXCEPTION:
            raise outcome
        for field in outcome.__slots__:
            value = getattr(outcome, field)
            if value is not None and field != 'success':
                raise value
        return getattr(outcome, 'success', None)


class Processor:
    def __init__(self, service, handler):
        self.service, self.handler = service, handler

    def process(self, incoming, outgoing):
        name, _, number = incoming.readMessageBegin()
        if name not in self.service.thrift_services:
            incoming.skip(TType.STRUCT)
            incoming.readMessageEnd()
            unknown = f'Unknown function {name}'
            result = TApplicationException(TApplicationException.UNKNOWN_METHOD, unknown)
            return self.reply(outgoing, name, TMessageType.EXCEPTION, number, result)
        given = convert(getattr(self.service, name + '_args'))()
        result = convert(getattr(self.service, name + '_result'))()
        given.read(incoming)
        incoming.readMessageEnd()
        kind = TMessageType.REPLY
        try:
            success = getattr(self.handler, name)(*(getattr(given, it) for it in given.__slots__))
            if 'success' in result.__slots__:
                result.success = success
        except TExceptionBase as error:
            for field in result.thrift_spec:
                if field and field[3] and field[3][0] is type(error):
                    setattr(result, field[2], error)
        except Exception:
            kind = TMessageType.EXCEPTION
            result = TApplicationException(TApplicationException.INTERNAL_ERROR, 'Internal error')
        if not getattr(self.service, name + '_result').oneway:
            self.reply(outgoing, name, kind, number, result)

    def reply(self, protocol, name, kind, number, result):
        protocol.writeMessageBegin(name, kind, number)
        result.write(protocol)
        protocol.writeMessageEnd()
        protocol.trans.flush()


def server(service, handler, host, transport):
    listener = TSocket.TServerSocket(host)
    factories = TRANSPORTS[transport](), TBinaryProtocolFactory()
    return TThreadedServer(Processor(service, handler), listener, *factories), listener

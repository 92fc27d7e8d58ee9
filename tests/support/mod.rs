//! What the tests share: server processes, server threads, and a client made of bare bytes that
//! knows nothing of the library's client.

pub mod example;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "http2")]
pub mod http2;

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, panic};

use ninestep::protocol::native::{pack, unpack};
use ninestep::{Channel, ClientStub, Connection, Server, StopHandle, Strategy, Value};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

/// How long a test waits for what must come: only a broken server makes it wait so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The greeting of wire version 1.
pub const GREETING: [u8; 4] = *b"9ST\x01";

/// Runs `work` on a thread of its own, and fails if that takes longer than [`PATIENCE`].
pub fn within<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    // A panic then says whose it was.
    let named = thread::Builder::new().name(what.to_owned());
    let worker = named.spawn(move || {
        let _ = done.send(work());
    });
    let worker = worker.expect("a thread can be started");
    match finished.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("{what}: not finished after {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => panic::resume_unwind(panic),
            Ok(()) => unreachable!("the worker sends before it ends"),
        },
    }
}

/// Looks again and again until `holds` does, for what no event tells of; fails after [`PATIENCE`].
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not so after {PATIENCE:?}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Kills and reaps a process when it is dropped.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Child>>);

impl Killer {
    /// Takes charge of a process.
    pub fn new(child: Child) -> Killer {
        Killer(Arc::new(Mutex::new(child)))
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ = self.child().kill();
        let _ = self.child().wait();
    }
}

/// A server in a process of its own, which is killed when this is dropped.
pub struct ServerProcess {
    child: Killer,
    address: SocketAddr,
    stdout: BufReader<ChildStdout>,
}

impl ServerProcess {
    /// Starts `ninestep serve` with these further arguments and waits until it listens.
    #[cfg(feature = "cli")]
    pub fn serve(arguments: &[&str]) -> ServerProcess {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--with-trouble"]).args(arguments);
        ServerProcess::start(&mut command)
    }

    /// Starts a program that says `listening on ADDR`, maybe among other lines.
    pub fn start(command: &mut Command) -> ServerProcess {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        let (address, stdout) = within("a server that says where it listens", move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = String::new();
                assert_ne!(stdout.read_line(&mut line).expect("a line"), 0, "the server ended");
                if let Some((_, address)) = line.split_once("listening on ") {
                    break (address.trim().parse().expect("an address"), stdout);
                }
            }
        });
        ServerProcess { child: Killer::new(child), address, stdout }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What kills it even if the thread that has this hangs.
    pub fn killer(&self) -> Killer {
        self.child.clone()
    }

    /// The library's client, connected to it.
    pub fn client(&self) -> ClientStub {
        client(self.address)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.child()), signal).expect("the process is there");
    }

    /// Waits until the server and every process that it started have ended: they all hold its
    /// standard output. The second value is what they still printed.
    pub fn ended(mut self, who: &str) -> (ExitStatus, String) {
        let _killer = self.killer();
        within(&format!("{who}: the end of all processes"), move || {
            let mut output = String::new();
            self.stdout.read_to_string(&mut output).expect("the output is text");
            let mut status = None;
            eventually("the exit status", || {
                status = self.child.child().try_wait().expect("the server is our child");
                status.is_some()
            });
            (status.expect("it has ended"), output)
        })
    }

    /// The processes that this one has started and not reaped, as `(pid, state)`.
    pub fn children(&self) -> Vec<(u32, char)> {
        children_of(self.pid())
    }

    /// The kilobytes of memory that are its own or shared, as the kernel counts them.
    pub fn resident_kib(&self) -> u64 {
        status_kib(self.pid(), "VmRSS:")
    }

    /// How many descriptors it holds.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process is there").count()
    }
}

/// Whether a process was ended by this signal.
pub fn was_killed_by(status: ExitStatus, signal: Signal) -> bool {
    status.signal() == Some(signal.as_raw())
}

/// The children of a process, as `(pid, state)`; the state `Z` is a zombie.
pub fn children_of(parent: u32) -> Vec<(u32, char)> {
    let children = processes().into_iter().filter(|process| process.1 == parent);
    children.map(|(pid, _, state)| (pid, state)).collect()
}

/// Every process of this machine, as `(pid, parent, state)`.
pub fn processes() -> Vec<(u32, u32, char)> {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let stats = pids.filter_map(|pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything, so fields count from its end.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((pid, fields.next()?.parse().ok()?, state))
    });
    stats.collect()
}

/// One line of a process's status file that is in kilobytes.
pub fn status_kib(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A server on a thread of the test, which is stopped when this is dropped.
pub struct ServerThread {
    address: SocketAddr,
    stop: StopHandle,
    runs: Option<JoinHandle<ninestep::Result<()>>>,
}

impl ServerThread {
    /// Binds the server and runs it with this strategy.
    pub fn run(server: Server, strategy: impl Strategy + 'static) -> ServerThread {
        let server = server.bind("127.0.0.1:0").expect("a free port");
        let (address, stop) = (server.local_addr(), server.stop_handle());
        ServerThread { address, stop, runs: Some(thread::spawn(move || server.run(&strategy))) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// The library's client, connected to it.
    pub fn client(&self) -> ClientStub {
        client(self.address)
    }

    /// Bare bytes, connected to it and greeted.
    pub fn raw(&self) -> Raw {
        Raw::greeted(self.address)
    }

    /// Waits until the server has returned.
    pub fn ended(mut self) -> ninestep::Result<()> {
        let runs = self.runs.take().expect("it is joined once");
        within("the server's end", move || runs.join().expect("the server does not panic"))
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// The library's client, connected.
pub fn client(address: SocketAddr) -> ClientStub {
    let channel = ninestep::Channel::new(address).connect_timeout(PATIENCE).call_timeout(PATIENCE);
    ClientStub::new(&channel).expect("the server listens")
}

/// A frame as it came, without its length.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The letter.
    pub kind: u8,
    /// The call that it belongs to.
    pub id: u32,
    /// The rest.
    pub body: Vec<u8>,
}

impl Frame {
    /// The result, if this is a reply.
    pub fn result(&self) -> Value {
        assert_eq!(char::from(self.kind), 'R', "{self:?}");
        unpack(&self.body, 64).expect("a value")
    }

    /// Code and message, if this is a fault.
    pub fn fault(&self) -> (i32, String) {
        assert_eq!(char::from(self.kind), 'F', "{self:?}");
        let (code, rest) = self.body.split_first_chunk().expect("a code");
        let (length, rest) = rest.split_first_chunk().expect("a length");
        let message = &rest[..u32::from_be_bytes(*length) as usize];
        (i32::from_be_bytes(*code), str::from_utf8(message).expect("UTF-8").to_owned())
    }

    /// The highest id that is answered, if this is a bye.
    pub fn bye(&self) -> u32 {
        assert_eq!((char::from(self.kind), self.id), ('B', 0), "{self:?}");
        u32::from_be_bytes(self.body[..].try_into().expect("four bytes"))
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, id: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 5).expect("a short body");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend(id.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The body of a call: no deadline, a name, and what may be arguments.
pub fn call_body(procedure: &[u8], arguments: &[u8]) -> Vec<u8> {
    let length = u32::try_from(procedure.len()).expect("a short name");
    [&[0; 4], &length.to_be_bytes(), procedure, arguments].concat()
}

/// The bytes of a call; `()` stands for no arguments.
pub fn call(id: u32, procedure: &str, arguments: impl Serialize) -> Vec<u8> {
    let arguments = match packed(arguments) {
        none if none == b"_" => b"[\0\0\0\0".to_vec(),
        some => some,
    };
    frame(b'C', id, &call_body(procedure.as_bytes(), &arguments))
}

/// The bytes of a reply.
pub fn reply(id: u32, result: impl Serialize) -> Vec<u8> {
    frame(b'R', id, &packed(result))
}

/// The bytes of a fault without data.
pub fn fault(id: u32, code: i32, message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    let body = [&code.to_be_bytes()[..], &length.to_be_bytes(), message.as_bytes(), b"_"].concat();
    frame(b'F', id, &body)
}

/// The bytes of a value.
pub fn packed(value: impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(&value, 64, &mut bytes).expect("a value");
    bytes
}

/// Connects to a listener that accepts nobody, with the shortest queue there is, until that is full.
/// Nobody else can connect then, until the connections are dropped.
pub fn crowd(listener: &TcpListener) -> Vec<ninestep::Result<Connection>> {
    rustix::net::listen(listener, 0).expect("it listens");
    let address = listener.local_addr().expect("a socket");
    let channel = Channel::new(address).connect_timeout(Duration::from_millis(100));
    (0..4).map(|_| channel.connect()).collect()
}

/// Waits until the server has read all that was sent: the kernel holds nothing back for it.
pub fn are_read<'a>(streams: impl IntoIterator<Item = &'a TcpStream>) {
    let port = |address: io::Result<SocketAddr>| format!("{:04X}", address.expect("TCP").port());
    let ports = |stream: &TcpStream| (port(stream.peer_addr()), port(stream.local_addr()));
    let mut unread: HashSet<_> = streams.into_iter().map(ports).collect();
    eventually("the server's reads", || {
        // It is as long as there were connections in the last minute.
        let table = fs::read_to_string("/proc/net/tcp").expect("/proc is there");
        for line in table.lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = |field: &str| field.rsplit(':').next().unwrap_or_default().to_owned();
            if fields[4].ends_with(":00000000") {
                unread.remove(&(port(fields[1]), port(fields[2])));
            }
        }
        unread.is_empty()
    });
}

/// One end of a TCP connection, as bytes. Nothing on it blocks for longer than [`PATIENCE`].
pub struct Raw(TcpStream);

impl Raw {
    /// Connects and says nothing.
    pub fn connect(address: SocketAddr) -> Raw {
        Raw::over(TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens"))
    }

    /// Connects as a client of wire version 1.
    pub fn greeted(address: SocketAddr) -> Raw {
        let mut raw = Raw::connect(address);
        raw.send(&GREETING);
        raw
    }

    /// This end of a connection that exists.
    pub fn over(stream: TcpStream) -> Raw {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Raw(stream)
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the peer reads");
    }

    /// Sends what the peer may refuse to read.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Tells the peer that nothing more comes.
    pub fn finish_sending(&mut self) {
        self.0.shutdown(std::net::Shutdown::Write).expect("a socket");
    }

    /// The next bytes, exactly so many.
    pub fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        self.0.read_exact(&mut bytes).expect("the peer sends");
        bytes
    }

    /// The next frame.
    pub fn frame(&mut self) -> Frame {
        self.next_frame().expect("the connection has not ended")
    }

    /// The next frame, or nothing if the peer has closed the connection.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let mut first = [0];
        if self.0.read(&mut first).expect("the peer answers in time") == 0 {
            return None;
        }
        let [a, b, c] = self.bytes();
        let length = u32::from_be_bytes([first[0], a, b, c]) as usize;
        assert!((5..=8 << 20).contains(&length), "a frame of {length} bytes");
        let mut rest = vec![0; length];
        self.0.read_exact(&mut rest).expect("the whole frame");
        let id = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]);
        Some(Frame { kind: rest[0], id, body: rest.split_off(5) })
    }

    /// Sends a call and takes its outcome.
    pub fn ask(&mut self, id: u32, procedure: &str, arguments: impl Serialize) -> Frame {
        self.send(&call(id, procedure, arguments));
        let answer = self.frame();
        assert_eq!(answer.id, id, "{answer:?}");
        answer
    }

    /// Whether the connection ends without another byte, however rudely.
    pub fn is_over(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(came) => came == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Waits until the server has read all that was sent on these.
    pub fn are_read(raws: &[Raw]) {
        are_read(raws.iter().map(|raw| &raw.0));
    }

    /// Waits until the server has read all that was sent.
    pub fn is_read(&self) {
        are_read([&self.0]);
    }

    /// Whether nothing comes for a moment.
    pub fn is_silent(&mut self, moment: Duration) -> bool {
        self.0.set_read_timeout(Some(moment)).expect("a socket");
        let peeked = self.0.peek(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).expect("a socket");
        matches!(peeked, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

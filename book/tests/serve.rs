//! `cargo book serve` shows the book, and tells the browser when a source has changed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

/// Rendering takes a second where the machine has nothing else to do.
const MOST_TIME: Duration = Duration::from_secs(60);

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep-book"));
        // Without a path it finds no browser to open.
        command.args(["serve", "0"]).env("PATH", "").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split('/').nth(2).unwrap_or_default().to_owned();
        Server { process, address }
    }

    /// What comes for a path, line by line.
    fn get(&self, path: &str) -> impl Iterator<Item = String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(MOST_TIME)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        BufReader::new(stream).lines().map(Result::unwrap)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn it_shows_the_book_and_reloads_it_after_a_change() {
    let server = Server::start();
    assert!(server.get("/").any(|line| line.contains("<title>About this book")));

    let mut events = server.get("/_tower-livereload/event-stream");
    assert!(events.any(|line| line == "event: init"));
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chapters/about.md");
    File::options().append(true).open(chapter).unwrap().set_modified(SystemTime::now()).unwrap();
    assert!(events.any(|line| line == "event: reload"));
}

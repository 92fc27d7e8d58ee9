//! A listener between client and server that keeps what passes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{mem, thread};

/// What the client sent and what the server sent.
#[derive(Clone, Default)]
pub(crate) struct Tap([Arc<Mutex<Vec<u8>>>; 2]);

impl Tap {
    /// Listens for one connection, and passes it on to this server.
    pub(crate) fn before(server: SocketAddr) -> io::Result<(Tap, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (tap, address) = (Tap::default(), listener.local_addr()?);
        let Tap([sent, answered]) = tap.clone();
        thread::spawn(move || {
            let (client, _) = listener.accept()?;
            let server = TcpStream::connect(server)?;
            let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || pass(server_too, client_too, &answered));
            pass(client, server, &sent)
        });
        Ok((tap, address))
    }

    /// What passed since this was asked last.
    pub(crate) fn take(&self) -> [Vec<u8>; 2] {
        self.0.each_ref().map(|kept| mem::take(&mut *kept.lock().expect("nobody panics with it")))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) -> io::Result<()> {
    to.set_nodelay(true)?;
    let mut bytes = [0; 4096];
    loop {
        match from.read(&mut bytes)? {
            0 => return to.shutdown(Shutdown::Write),
            count => {
                // Kept before it is passed on: whoever has the reply finds it here.
                kept.lock().expect("nobody panics with it").extend(&bytes[..count]);
                to.write_all(&bytes[..count])?;
            }
        }
    }
}

//! One connection: what is said on it, and whose turn it is to read.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::PollFlags;

use crate::channel::Dial;
use crate::error::{Error, Result};
use crate::http_calls::{HttpCalls, Noted};
use crate::pending::{Deadline, Deliver};
use crate::protocol::http::Http;
use crate::transport::http2::Http2Client;
use crate::transport::{Connection, ReadBuffer, Wake, wait_for};
use crate::wire::lock;

/// A connection.
pub(crate) struct Line {
    pub(super) connection: Connection,
    pub(super) talk: Mutex<Talk>,
    /// Who receives the buffer has the turn to read, and sends it back when the turn is over. Who
    /// has locked the talk does not wait for a turn.
    pub(super) turns: (Sender<ReadBuffer>, Receiver<ReadBuffer>),
}

/// Where a call went, if that is a place of its own, and whose it is; a notification is nobody's.
type Asked = (Option<String>, Option<Noted>);

/// What is said on a connection.
pub(super) struct Talk {
    pub(super) http2: Http2Client<Asked>,
    /// What goes out, and how much of it the operating system has taken.
    pub(super) output: Vec<u8>,
    sent: usize,
    /// How many bytes the operating system has taken in all.
    pub(super) taken: usize,
}

impl Line {
    pub(super) fn connect(dial: &Dial, http: &Http, deadline: Deadline) -> Result<Line> {
        let http2 = Http2Client::new(http.max_message)?;
        let turns = bounded(1);
        // There is room for one.
        let _ = turns.0.send(ReadBuffer::default());
        let talk = Mutex::new(Talk { http2, output: Vec::new(), sent: 0, taken: 0 });
        Ok(Line { connection: dial.connect(deadline)?, talk, turns })
    }

    /// The turn, if nobody has it.
    pub(super) fn try_turn(self: &Arc<Line>) -> Option<Turn> {
        let input = self.turns.1.try_recv().ok()?;
        Some(Turn { line: Arc::clone(self), input })
    }

    /// Gives a call up, and tells the server so.
    pub(super) fn cancel(&self, id: u32) {
        let mut talk = lock(&self.talk);
        talk.http2.cancel(|(_, call)| call.as_ref().is_some_and(|(noted, _)| *noted == id));
        // Whoever uses the connection next learns if it broke.
        let _ = talk.send_some(&self.connection);
    }

    /// The connection is of no use any more: all calls on it fail.
    pub(super) fn end(&self, why: &Error) {
        // Whoever is blocked in a read on another thread is to learn of it too.
        self.connection.shut_down();
        let calls: Vec<_> = lock(&self.talk).http2.end().filter_map(|(_, call)| call).collect();
        calls.iter().for_each(|(_, slot)| slot.fail(why.clone()));
    }
}

impl Talk {
    /// Sends what the operating system takes at once; whether that is everything.
    pub(super) fn send_some(&mut self, connection: &Connection) -> Result<bool> {
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
        }
        self.http2.give_out(&mut self.output)?;
        while self.sent < self.output.len() {
            let sent = connection.send_some(&self.output[self.sent..]);
            match sent.map_err(|error| Error::transport("sending a call", error))? {
                0 => return Ok(false),
                sent => {
                    self.sent += sent;
                    self.taken = self.taken.wrapping_add(sent);
                }
            }
        }
        Ok(true)
    }
}

/// The right to read. Whoever gives it up gives it to the next.
pub(super) struct Turn {
    pub(super) line: Arc<Line>,
    pub(super) input: ReadBuffer,
}

impl Turn {
    /// Reads until `is_over`, or the deadline.
    ///
    /// # Errors
    /// The connection broke; all calls on it have been told.
    pub(super) fn read_until(
        &mut self,
        calls: &HttpCalls,
        is_over: impl Fn() -> bool,
        deadline: Deadline,
    ) -> Result<()> {
        let deadline = deadline.map(|(end, _)| end);
        let mut all_sent = true;
        while !is_over() {
            if deadline.is_some() || !all_sent {
                let sending = if all_sent { PollFlags::empty() } else { PollFlags::OUT };
                let woken = wait_for(&self.line.connection, PollFlags::IN | sending, deadline);
                if let Ok(Wake::TimedOut) = woken {
                    break;
                }
            }
            let read = self.read(calls, deadline.is_none() && all_sent);
            all_sent = read.inspect_err(|why| self.line.end(why))?;
            // There may always be more to read, from a server that does not stop.
            if deadline.is_some_and(|end| Instant::now() >= end) {
                break;
            }
        }
        Ok(())
    }

    /// Reads once, and hands on what that brings; whether nothing is left to be sent.
    pub(super) fn read(&mut self, calls: &HttpCalls, wait: bool) -> Result<bool> {
        let came = self.input.fill(&self.line.connection, wait);
        let came = came.map_err(|error| Error::transport("receiving a reply", error))?;
        if came == Some(0) {
            return Err(Error::Closed { sent: true });
        }
        let mut answered = Vec::new();
        let mut talk = lock(&self.line.talk);
        let taken = match came {
            Some(_) => talk.http2.take_in(&mut self.input, &mut answered),
            None if talk.sent == talk.output.len() => return Ok(true),
            None => Ok(()),
        };
        let sent = talk.send_some(&self.line.connection);
        drop(talk);
        for ((path, call), response) in answered {
            let path = path.as_deref().unwrap_or(&calls.path);
            match (call, response) {
                (Some((id, slot)), Ok(it)) => {
                    let call = [(id, &*slot as &dyn Deliver)];
                    calls.deliver(path, it.status, &it.headers, &it.body, &call);
                }
                (None, Ok(it)) => {
                    calls.deliver(path, it.status, &it.headers, &it.body, &[]);
                }
                (Some((_, slot)), Err(why)) => slot.fail(why),
                (None, Err(why)) => log::debug!("a notification was refused: {why}"),
            }
        }
        taken.and(sent)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // There is room: whoever gives back has taken.
        let _ = self.line.turns.0.send(std::mem::take(&mut self.input));
    }
}

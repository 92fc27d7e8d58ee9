//! Many calls of one connection at the same time, for protocols over HTTP/2.
//!
//! The thread that serves the connection alone reads and writes. It also runs the procedures that
//! are known to be quick, because handing them to another thread costs more than running them. All
//! others run on [`Helpers`], so that no call waits for a slow one. A procedure that was quick so
//! far and is slow at once holds the others up once, and runs on helpers after that.

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::AsFd;
use std::thread::{self, Scope};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::ServerStub;
use super::apart::Apart;
use super::calls::Caller;
use super::helpers::{Helpers, Job};
use super::road::Road;
use crate::error::{Error, ProtocolError, Result};
use crate::protocol::Answer;
use crate::protocol::http::Http;
use crate::transport::http2::{Exchange, Http2Server};
use crate::transport::{ReadBuffer, from_now, last_tick, poll_until};

impl ServerStub<'_> {
    /// Serves a connection over HTTP/2 to its end.
    // Inlined, its variables would be part of the stack frame of every connection.
    #[inline(never)]
    pub(super) fn serve_side_by_side(&mut self) {
        let first = from_now(self.server.limits.first_message);
        let ServerStub { road, input, answer, caller, .. } = self;
        let Road::Http2(http2, http) = road else { return };
        caller.eager_until = last_tick() + ServerStub::EAGER;
        // Calls that still run when the connection ends are waited for.
        thread::scope(|scope| {
            let mut served = SideBySide {
                http,
                http2,
                input,
                answer,
                caller,
                scope,
                helpers: None,
                ended: false,
                stopping: None,
                first: Some(first),
                quiet: None,
                called: false,
                blocked: None,
                shrunk: false,
            };
            if let Err(error) = served.serve() {
                served.last_words(&error);
                served.caller.connection.log_end(&error);
            }
        });
    }
}

struct SideBySide<'scope, 'env, 'a> {
    http: &'a Http,
    http2: &'env mut Http2Server,
    input: &'env mut ReadBuffer,
    /// The outcome that is being packed.
    answer: &'env mut Answer,
    caller: &'env mut Caller<'a>,
    scope: &'scope Scope<'scope, 'env>,
    /// None before the first slow call.
    helpers: Option<Helpers<'scope, 'env, 'a>>,
    /// Whether the client sends nothing more. It may still wait for answers.
    ended: bool,
    /// When the connection is closed, once it is not to be used any more.
    stopping: Option<Instant>,
    /// Until when the first request must have come, if none has.
    first: Option<Instant>,
    /// Until when another request must have come, if that was asked since the last one.
    quiet: Option<Instant>,
    /// Whether there was a call since the last look for a stop.
    called: bool,
    /// Until when the client must take some of these bytes of answers.
    blocked: Option<(Instant, usize)>,
    /// Whether memory was given back since something came.
    shrunk: bool,
}

/// What is to be done when nothing happened for some time.
#[derive(Clone, Copy)]
enum Then {
    Leave,
    GiveBackMemory,
    GiveUpOldest,
    GiveUpSending,
    /// The time to drain is over.
    End,
}

impl<'scope, 'a: 'scope> SideBySide<'scope, '_, 'a> {
    /// Answers that the client does not take, in bytes, before no further call is executed.
    const FULL: usize = 1 << 20;

    fn serve(&mut self) -> Result<()> {
        loop {
            self.answer_calls()?;
            let leaving = self.ended || self.stopping.is_some();
            let late = self.stopping.is_some_and(|end| end <= Instant::now());
            if self.http2.is_finished() || late || (leaving && !self.http2.is_busy()) {
                break;
            }
            self.wait()?;
        }
        self.http2.bye(&mut self.caller.output);
        self.caller.close_gently(Caller::LINGER);
        self.caller.broken.take().map_or(Ok(()), Err)
    }

    /// Executes what is to be executed, and sends the answers that there are.
    fn answer_calls(&mut self) -> Result<()> {
        while let Some(mut done) = self.helpers.as_mut().and_then(Helpers::done) {
            self.http2.answer(self.http, done.exchange, done.answered, &mut done.answer);
        }
        loop {
            while self.http2.unsent() < SideBySide::FULL
                && let Some(exchange) = self.http2.next()
            {
                (self.first, self.quiet, self.called) = (None, None, true);
                self.call(exchange);
            }
            self.http2.work(self.http, &mut self.caller.output)?;
            if self.http2.unsent() >= SideBySide::FULL || !self.http2.has_next() {
                break;
            }
        }
        if self.ended {
            self.http2.end();
        }
        self.caller.flush();
        self.caller.broken.take().map_or(Ok(()), Err)
    }

    /// Executes one call here, or lets a helper execute it.
    fn call(&mut self, exchange: Exchange) {
        let server = self.caller.server;
        if let Some(answered) = Apart::at_once(server, &exchange).answer(self.answer) {
            return self.http2.answer(self.http, exchange, answered, self.answer);
        }
        let helpers = match &mut self.helpers {
            Some(helpers) => Ok(helpers),
            none => Helpers::new(self.scope, server).map(|helpers| none.insert(helpers)),
        };
        let job = Job { exchange, received: Instant::now() };
        match helpers {
            Ok(helpers) => {
                if let Some(job) = helpers.run(job) {
                    self.http2.turn_away(job.exchange);
                }
            }
            Err(error) => {
                log::warn!("no descriptor for a connection's slow calls: {error}");
                self.http2.turn_away(job.exchange);
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> Result<()> {
        let helpers = self.helpers.as_ref().filter(|helpers| helpers.running() > 0);
        let alone = helpers.is_none() && !self.ended && self.stopping.is_none();
        let now = last_tick();
        // While one call follows another, no limit can be passed, and a look for a stop alone is
        // cheaper than a wait for both.
        if alone
            && now >= self.caller.eager_until
            && self.http2.is_at_rest()
            && mem::take(&mut self.called)
        {
            if self.caller.connection.is_told_to_stop() {
                self.stop();
                return Ok(());
            }
            self.caller.eager_until = now + ServerStub::EAGER;
        }
        if alone && now < self.caller.eager_until {
            return self.receive(true);
        }
        let next = self.next_end();
        let failed = |error: io::Error| Error::transport("waiting for a message", error);
        let helpers = self.helpers.as_ref().filter(|helpers| helpers.running() > 0);
        let connection = &self.caller.connection;
        let lifeline = connection.lifeline.as_ref().filter(|_| self.stopping.is_none());
        let of_interest = [
            (!self.ended).then(|| connection.as_fd()),
            helpers.map(Helpers::bell),
            lifeline.map(AsFd::as_fd),
        ];
        let watched = of_interest.iter().flatten();
        let mut fds: Vec<PollFd<'_>> =
            watched.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let woken = poll_until(&mut fds, next.map(|(end, _)| end)).map_err(failed)?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let [came, rang, stopped] =
            of_interest.map(|fd| fd.is_some() && ready.next().unwrap_or_default());
        if rang && let Some(helpers) = helpers {
            helpers.hush();
        }
        if stopped {
            self.stop();
        }
        if came {
            self.receive(false)?;
            self.caller.eager_until = last_tick() + ServerStub::EAGER;
        }
        match next {
            Some((_, then)) if woken == 0 => self.is_time_to(then),
            // What comes without end and brings nothing does not stop the clock.
            Some((end, then)) if end <= Instant::now() && self.is_next_end(end) => {
                self.is_time_to(then)
            }
            _ => Ok(()),
        }
    }

    fn is_next_end(&mut self, end: Instant) -> bool {
        self.next_end().is_some_and(|(next, _)| next == end)
    }

    fn receive(&mut self, wait: bool) -> Result<()> {
        let came = self.input.fill(&self.caller.connection, wait);
        match came.map_err(|error| Error::transport("receiving", error))? {
            None => Ok(()),
            Some(0) => {
                let torn = self.http2.torn(self.input);
                self.ended = true;
                self.http2.end();
                match torn {
                    0 => Ok(()),
                    _ if self.http2.is_busy() => Ok(()),
                    _ => Err(ProtocolError::Torn(torn).into()),
                }
            }
            Some(_) => {
                self.shrunk = false;
                Ok(self.http2.take_in(self.http, self.input, &mut self.caller.output)?)
            }
        }
    }

    /// Takes no further call; those that were read are answered.
    fn stop(&mut self) {
        self.stopping = Some(from_now(self.caller.server.limits.drain));
        self.http2.stop();
    }

    /// What is to be done if nothing happens, and when.
    fn next_end(&mut self) -> Option<(Instant, Then)> {
        let limits = &self.caller.server.limits;
        if self.stopping.is_some() || self.ended {
            return self.stopping.map(|end| (end, Then::End));
        }
        let unsent = self.http2.unsent();
        self.blocked = self.blocked.filter(|(_, before)| *before == unsent);
        if unsent > 0 {
            self.blocked.get_or_insert_with(|| (from_now(limits.write), unsent));
        }
        let rest = self.http2.rest_until(limits.message);
        let mut ends = [
            (self.first, Then::Leave),
            (rest, Then::GiveUpOldest),
            (self.blocked.map(|(end, _)| end), Then::GiveUpSending),
            (None, Then::GiveBackMemory),
            (None, Then::Leave),
        ];
        if rest.is_none() && !self.http2.is_busy() {
            let quiet = *self.quiet.get_or_insert_with(|| from_now(limits.idle));
            ends[3].0 = (!self.shrunk).then(|| Instant::now() + ServerStub::BREATH);
            ends[4].0 = Some(quiet);
        }
        let ends = ends.into_iter().filter_map(|(end, then)| Some((end?, then)));
        ends.min_by_key(|(end, _)| *end)
    }

    fn is_time_to(&mut self, then: Then) -> Result<()> {
        let limits = &self.caller.server.limits;
        match then {
            Then::Leave => self.stop(),
            Then::End => {}
            Then::GiveUpOldest => self.http2.too_slow(&ProtocolError::TooSlow(limits.message)),
            Then::GiveUpSending => {
                let late = io::Error::from(ErrorKind::TimedOut);
                return Err(Error::transport("sending a reply", late));
            }
            Then::GiveBackMemory => {
                self.shrunk = true;
                self.input.shrink();
                self.http2.shrink();
                *self.answer = Answer::default();
                self.caller.output = Vec::new();
            }
        }
        Ok(())
    }

    /// Tells the client what it did wrong, if there is still a way to.
    fn last_words(&mut self, error: &Error) {
        if let Error::Protocol(_) = error {
            self.http2.bye(&mut self.caller.output);
            self.caller.close_gently(Caller::LINGER);
        }
    }
}

//! A call that shares its connection with others that are executed at the same time.

use std::time::{Duration, Instant};

use super::calls::{find, run};
use crate::error::ProtocolError;
use crate::message::{Call, Fault, Outcome};
use crate::procedure::Procedures;
use crate::protocol::{Answer, Calls, Parts};
use crate::server::Server;
use crate::steps::Step;
use crate::transport::http2::Exchange;

/// What a protocol calls back while it answers one message.
pub(super) struct Apart<'m> {
    server: &'m Server,
    exchange: &'m Exchange,
    /// When the message came; `None`: now, and a procedure that may take long is not executed.
    received: Option<Instant>,
    /// The id of the last call in it.
    called: Option<u32>,
    postponed: bool,
}

impl<'m> Apart<'m> {
    /// For the thread that serves the connection.
    pub(super) fn at_once(server: &'m Server, exchange: &'m Exchange) -> Apart<'m> {
        Apart { server, exchange, received: None, called: None, postponed: false }
    }

    /// For a thread that others do not wait for.
    pub(super) fn on_helper(
        server: &'m Server,
        exchange: &'m Exchange,
        received: Instant,
    ) -> Apart<'m> {
        let received = Some(received);
        Apart { server, exchange, received, called: None, postponed: false }
    }

    /// Steps 4 to 7 but for the sending; `None` if the message is to be answered on a helper, from
    /// its beginning: nothing was executed.
    pub(super) fn answer(mut self, answer: &mut Answer) -> Option<Result<(), ProtocolError>> {
        let server = self.server;
        let answered = server.protocol.answer(self.exchange.message(), &mut self, answer);
        if self.postponed {
            answer.bytes.clear();
            answer.trailers.clear();
            return None;
        }
        if let Some(id) = self.called {
            server.steps.tell(Step::Reply, "", id, &answer.bytes);
        }
        Some(answered)
    }
}

impl Calls for Apart<'_> {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        if self.postponed {
            return;
        }
        let (server, message) = (self.server, self.exchange.message().bytes);
        let reply = &mut |outcome: Outcome<'_>, _: &mut dyn FnMut(&Parts<'_>)| reply(outcome);
        let is_first = self.called.replace(call.id).is_none();
        let since = self.received;
        let waited = |limit| since.map_or(Duration::ZERO, |since| since.elapsed()) >= limit;
        let Some(procedure) = find(server, &call, waited, message, reply) else { return };
        // The second of several calls in one message cannot be put off: the first was executed.
        if self.received.is_none() && is_first && !procedure.is_quick() {
            self.postponed = true;
            return;
        }
        let began = Instant::now();
        run(server, procedure, call, message, reply, &mut |_| {});
        procedure.took(began.elapsed());
    }

    fn procedures(&self) -> &Procedures {
        &self.server.procedures
    }
}

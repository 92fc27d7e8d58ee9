//! What a call over HTTP is, whichever the version: a request, and a response that is for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::channel::Channel;
use crate::error::{Error, ProtocolError, Result};
use crate::message::Outgoing;
use crate::pending::{Deadline, Deliver, SharedSlot, deliver};
use crate::protocol::http::{Head, Http, Version};
use crate::protocol::{Arrived, Message, Protocol, Request};
use crate::steps::{Step, Steps};

/// What everybody who calls the same server shares.
pub(crate) struct HttpCalls {
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) http: Http,
    pub(crate) steps: Steps,
    /// Where to, unless a call says otherwise.
    pub(crate) path: String,
    ids: AtomicU32,
}

/// A call's id, and where its outcome is delivered to.
pub(crate) type Noted = (u32, SharedSlot);

/// A packed call that was not sent yet.
pub(crate) struct Post {
    pub(crate) request: Request,
    /// None for a notification.
    pub(crate) noted: Option<Noted>,
}

impl HttpCalls {
    pub(crate) fn new(channel: &Channel, http: &Http) -> HttpCalls {
        let path = channel.path.as_deref().or(http.paths.first().map(|path| &**path));
        HttpCalls {
            protocol: Arc::clone(&channel.protocol),
            http: http.clone(),
            steps: channel.steps.clone(),
            path: path.unwrap_or("/").to_owned(),
            ids: AtomicU32::new(0),
        }
    }

    /// Steps 1 and 2; the call's id comes with it.
    pub(crate) fn pack(
        &self,
        procedure: &str,
        arguments: &impl Serialize,
        deadline: Deadline,
    ) -> Result<(u32, Request)> {
        // 0 belongs to no call; numbers come again after four billion calls.
        let id = self.ids.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        let deadline = deadline.map(|(deadline, _)| deadline);
        Ok((id, self.packed(&Outgoing { id: Some(id), procedure, arguments, deadline })?))
    }

    pub(crate) fn pack_notification(
        &self,
        procedure: &str,
        arguments: &impl Serialize,
    ) -> Result<Post> {
        let call = Outgoing { id: None, procedure, arguments, deadline: None };
        Ok(Post { request: self.packed(&call)?, noted: None })
    }

    fn packed(&self, call: &Outgoing<'_>) -> Result<Request> {
        let (id, mut request) = (call.id.unwrap_or(0), Request::default());
        self.steps.tell(Step::Call, call.procedure, id, &[]);
        self.protocol.pack(call, &mut request).map_err(Error::Pack)?;
        self.steps.tell(Step::Pack, call.procedure, id, &request.bytes);
        Ok(request)
    }

    /// Step 8: hands the outcomes in the response to a request at this path to their calls.
    pub(crate) fn deliver(
        &self,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        calls: &[(u32, &dyn Deliver)],
    ) {
        let call = if let [(id, _)] = calls { *id } else { 0 };
        self.steps.tell(Step::Receive, "", call, body);
        let media_type = headers.get(CONTENT_TYPE);
        let is_ours = self.http.takes(media_type);
        // Where every media type will do, it does not say who made a page about an error.
        let is_known = is_ours && !self.http.also_taken.contains(&"*/*");
        // Over HTTP/2 the protocol judges status and body.
        let judged_here = self.http.version == Version::Http1;
        let holds_nothing = match judged_here {
            true => body.is_empty(),
            false => status.is_success() && !is_ours,
        };
        let unpacked = if calls.is_empty() && status.is_success() {
            Ok(())
        } else if judged_here && !status.is_success() && !is_known {
            Err(ProtocolError::Status(status.as_u16()))
        } else if holds_nothing {
            Err(ProtocolError::NoOutcome)
        } else {
            let status = status.as_u16();
            let head = Some(Head { path, headers, status, call });
            let message = Message { head, ..Message::new(body) };
            self.protocol.unpack(message, &mut |arrived| match arrived {
                Arrived::Outcome { id, outcome } => {
                    if let Some((_, slot)) = calls.iter().find(|(noted, _)| *noted == id) {
                        deliver(*slot, outcome);
                    }
                }
                Arrived::Refused(fault) => fail(calls, &Error::Fault(fault)),
                Arrived::Bye { .. } => {}
            })
        };
        let why = match unpacked {
            Ok(()) => ProtocolError::NoOutcome,
            Err(why) if is_ours || !status.is_success() || body.is_empty() => why,
            Err(_) => ProtocolError::MediaType(match media_type {
                Some(media_type) => String::from_utf8_lossy(media_type.as_bytes()).into_owned(),
                None => String::new(),
            }),
        };
        // To those who have an outcome it says nothing.
        fail(calls, &why.into());
    }
}

/// Tells calls why they have no outcome.
pub(crate) fn fail(calls: &[(u32, &dyn Deliver)], why: &Error) {
    calls.iter().for_each(|(_, slot)| slot.fail(why.clone()));
}

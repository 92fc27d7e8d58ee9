//! tonic. What its compiler writes for `rpc Add (AddRequest) returns (AddReply)` is here by hand.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::server::{self, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::compare::LONE_CALLS;
use crate::{Result, check, tasks};

#[derive(Clone, PartialEq, prost::Message)]
struct AddRequest {
    #[prost(int64, tag = "1")]
    a: i64,
    #[prost(int64, tag = "2")]
    b: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AddReply {
    #[prost(int64, tag = "1")]
    result: i64,
}

#[derive(Clone)]
struct Calculator;

impl NamedService for Calculator {
    const NAME: &'static str = "Calculator";
}

impl Service<http::Request<Body>> for Calculator {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            match request.uri().path() {
                "/Calculator/Add" => {
                    Ok(server::Grpc::new(ProstCodec::default()).unary(Add, request).await)
                }
                _ => Ok(Status::unimplemented("").into_http()),
            }
        })
    }
}

struct Add;

impl UnaryService<AddRequest> for Add {
    type Response = AddReply;
    type Future = Ready<Result<Response<AddReply>, Status>>;

    fn call(&mut self, request: Request<AddRequest>) -> Self::Future {
        let AddRequest { a, b } = request.into_inner();
        ready(Ok(Response::new(AddReply { result: a + b })))
    }
}

pub(crate) fn serve() -> Result<()> {
    tasks::runtime()?.block_on(async {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
        println!("{}", incoming.local_addr()?);
        Ok(Server::builder().add_service(Calculator).serve_with_incoming(incoming).await?)
    })
}

async fn some_calls(client: &mut Grpc<Channel>) -> Result<()> {
    for _ in 0..LONE_CALLS {
        client.ready().await?;
        let path = PathAndQuery::from_static("/Calculator/Add");
        let request = Request::new(AddRequest { a: 10, b: 5 });
        let reply = client.unary(request, path, ProstCodec::default()).await?;
        let AddReply { result } = reply.into_inner();
        check(result == 15)?;
    }
    Ok(())
}

pub(crate) fn client(work: &str, address: &str) -> Result<()> {
    tasks::runtime()?.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..tasks::count(work)? {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            let mut client = Grpc::new(endpoint.connect().await?);
            tasks.spawn(tasks::rate(async move || some_calls(&mut client).await));
        }
        tasks::print_sum(tasks).await
    })
}

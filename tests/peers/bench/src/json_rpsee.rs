//! jsonrpsee over HTTP, on the runtime that its documentation uses.

use std::future::pending;
use std::net::TcpListener;

use jsonrpsee::core::client::ClientT;
use jsonrpsee::http_client::HttpClient;
use jsonrpsee::rpc_params;
use jsonrpsee::server::{RpcModule, Server, ServerConfig};
use jsonrpsee::types::ErrorObjectOwned;
use tokio::task::JoinSet;

use crate::compare::LONE_CALLS;
use crate::{Result, check, tasks};

pub(crate) fn serve() -> Result<()> {
    let mut module = RpcModule::new(());
    module.register_method("add", |arguments, _, _| {
        let (a, b): (i64, i64) = arguments.parse()?;
        Ok::<i64, ErrorObjectOwned>(a + b)
    })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    tasks::runtime()?.block_on(async {
        let config = ServerConfig::builder().max_connections(2000).http_only().build();
        let server = Server::builder().set_config(config).build_from_tcp(listener)?;
        let _serving = server.start(module);
        println!("{address}");
        pending().await
    })
}

async fn some_calls(client: &HttpClient) -> Result<()> {
    for _ in 0..LONE_CALLS {
        let sum: i64 = client.request("add", rpc_params![10, 5]).await?;
        check(sum == 15)?;
    }
    Ok(())
}

pub(crate) fn client(work: &str, address: &str) -> Result<()> {
    tasks::runtime()?.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..tasks::count(work)? {
            let client = HttpClient::builder().build(format!("http://{address}"))?;
            tasks.spawn(tasks::rate(async move || some_calls(&client).await));
        }
        tasks::print_sum(tasks).await
    })
}

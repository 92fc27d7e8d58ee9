//! jsonrpsee over HTTP. It has one core, so its runtime has one thread.

use std::future::pending;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use jsonrpsee::core::client::ClientT;
use jsonrpsee::http_client::HttpClient;
use jsonrpsee::rpc_params;
use jsonrpsee::server::{RpcModule, Server, ServerConfig};
use jsonrpsee::types::ErrorObjectOwned;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::compare::{self, LONE_CALLS, TURN, WARM_UP};
use crate::{Result, check};

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub(crate) fn serve() -> Result<()> {
    let mut module = RpcModule::new(());
    module.register_method("add", |arguments, _, _| {
        let (a, b): (i64, i64) = arguments.parse()?;
        Ok::<i64, ErrorObjectOwned>(a + b)
    })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    runtime()?.block_on(async {
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
    let runtime = runtime()?;
    let connect =
        || -> Result<HttpClient> { Ok(HttpClient::builder().build(format!("http://{address}"))?) };
    let rate = match work {
        "lone" => {
            let client = connect()?;
            compare::rate(LONE_CALLS, || runtime.block_on(some_calls(&client)))
        }
        "many" => runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..64 {
                tasks.spawn(rate_of_one(connect()?));
            }
            let rates = tasks.join_all().await;
            rates.into_iter().sum()
        }),
        _ => Err("no such work".into()),
    }?;
    println!("{rate}");
    Ok(())
}

async fn rate_of_one(client: HttpClient) -> Result<f64> {
    repeat(WARM_UP, &client).await?;
    let (times, time) = repeat(TURN, &client).await?;
    Ok((times * LONE_CALLS) as f64 / time.as_secs_f64())
}

async fn repeat(time: Duration, client: &HttpClient) -> Result<(usize, Duration)> {
    let start = Instant::now();
    let mut times = 0;
    loop {
        some_calls(client).await?;
        times += 1;
        let passed = start.elapsed();
        if passed >= time {
            return Ok((times, passed));
        }
    }
}

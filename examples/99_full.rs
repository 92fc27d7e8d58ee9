//! tmp
use ninestep::compare::crash_lab::{CrashLab, serve_if_server};

fn main() {
    serve_if_server();
    let at_once = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let began = std::time::Instant::now();
    let lab = CrashLab {
        at_once,
        troubles: if std::env::args().len() > 2 {
            vec![ninestep::compare::crash_lab::Trouble::Spin]
        } else {
            ninestep::compare::crash_lab::Trouble::ALL.to_vec()
        },
        ..CrashLab::new().unwrap()
    };
    let survival = lab.run(&mut |_| ());
    for row in survival.rows {
        let what: Vec<_> =
            row.remains.iter().map(|r| format!("{} {} {}", r.what, r.amount, r.unit)).collect();
        println!(
            "{:<17}{:<14} {} {} {} {:>8.1?} {} {:?}",
            row.trouble,
            row.strategy,
            row.server_alive,
            row.neighbours_alive,
            row.calls_lost,
            row.fresh_connection_ms.unwrap_or(f64::NAN),
            what.join(", "),
            row.cannot_run
        );
    }
    println!("{:?}", began.elapsed());
}

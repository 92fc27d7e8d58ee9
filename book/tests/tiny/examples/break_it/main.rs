//! What goes wrong in each chapter.

mod ch01_hello;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("1") {
        ch01_hello::run();
    }
}

//! Nobody is there.

pub fn run() {
    println!("no answer");
}

//! Greets. Chapter 1.

fn main() {
    println!("first");
    println!("{}", tiny::greeting(std::process::id()));
}

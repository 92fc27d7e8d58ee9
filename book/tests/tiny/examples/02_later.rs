//! Waits for its chapter. Chapter 2.

fn main() {
    println!("later");
}

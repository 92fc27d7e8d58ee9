//! The demo services, which the command line, the examples and the tests all serve.

use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::message::Fault;
use crate::procedure::Procedures;
use crate::value::Value;

/// The code of `division by zero`.
pub const DIVISION_BY_ZERO: i32 = 1;
/// The code of `overflow`.
pub const OVERFLOW: i32 = 2;

crate::service! {
    /// Whole numbers, and one division.
    pub trait Calculator {
        /// The sum; fault 2 if it does not fit.
        fn add(&self, a: i64, b: i64) -> Result<i64>;
        /// The difference; fault 2 if it does not fit.
        fn subtract(&self, a: i64, b: i64) -> Result<i64>;
        /// The product; fault 2 if it does not fit.
        fn multiply(&self, a: i64, b: i64) -> Result<i64>;
        /// The quotient; fault 1 if `b` is 0.
        fn divide(&self, a: f64, b: f64) -> Result<f64>;
    }
}

crate::service! {
    /// Is anybody there?
    pub trait PingPong {
        /// `pong`.
        fn ping(&self) -> Result<String>;
        /// `Login successful!`, for everybody.
        fn login(&self, username: String, password: String) -> Result<String>;
    }
}

crate::service! {
    /// Greetings, under the names that the tutorials use.
    pub trait Greeter {
        /// `Hi NAME!`
        fn sayHi(&self, name: String) -> Result<String>;
        /// `Bye NAME!`
        fn sayBye(&self, name: String) -> Result<String>;
    }
}

crate::service! {
    /// Gives back what it gets.
    pub trait Echo {
        /// The value as it came.
        fn echo(&self, value: Value) -> Result<Value>;
        /// Nothing, after so many milliseconds.
        fn sleep(&self, ms: u64) -> Result<()>;
    }
}

crate::service! {
    /// Procedures that fail on purpose, for those who ask for them.
    pub trait Trouble {
        /// Panics.
        fn panic(&self) -> Result<()>;
        /// Aborts the process.
        fn abort(&self) -> Result<()>;
        /// Overflows the stack.
        fn overflow(&self) -> Result<()>;
        /// Never gives so many MiB back.
        fn leak(&self, mib: u64) -> Result<()>;
        /// Keeps a core busy for so many milliseconds.
        fn spin(&self, ms: u64) -> Result<()>;
    }
}

/// The implementation of all demo services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demo;

/// `Calculator`, `PingPong`, `Greeter` and `Echo`.
pub fn procedures() -> Procedures {
    Calculator::procedures(Demo)
        .and(PingPong::procedures(Demo))
        .and(Greeter::procedures(Demo))
        .and(Echo::procedures(Demo))
}

/// `Trouble`, which nobody gets who did not ask for it.
pub fn trouble() -> Procedures {
    Trouble::procedures(Demo)
}

fn fits(result: Option<i64>) -> Result<i64> {
    Ok(result.ok_or_else(|| Fault::new(OVERFLOW, "overflow"))?)
}

impl Calculator for Demo {
    fn add(&self, a: i64, b: i64) -> Result<i64> {
        fits(a.checked_add(b))
    }

    fn subtract(&self, a: i64, b: i64) -> Result<i64> {
        fits(a.checked_sub(b))
    }

    fn multiply(&self, a: i64, b: i64) -> Result<i64> {
        fits(a.checked_mul(b))
    }

    fn divide(&self, a: f64, b: f64) -> Result<f64> {
        if b == 0.0 {
            return Err(Fault::new(DIVISION_BY_ZERO, "division by zero").into());
        }
        Ok(a / b)
    }
}

impl PingPong for Demo {
    fn ping(&self) -> Result<String> {
        Ok("pong".to_owned())
    }

    fn login(&self, username: String, _password: String) -> Result<String> {
        log::info!("{username} logged in");
        Ok("Login successful!".to_owned())
    }
}

impl Greeter for Demo {
    fn sayHi(&self, name: String) -> Result<String> {
        Ok(format!("Hi {name}!"))
    }

    fn sayBye(&self, name: String) -> Result<String> {
        Ok(format!("Bye {name}!"))
    }
}

impl Echo for Demo {
    fn echo(&self, value: Value) -> Result<Value> {
        Ok(value)
    }

    fn sleep(&self, ms: u64) -> Result<()> {
        thread::sleep(Duration::from_millis(ms));
        Ok(())
    }
}

impl Trouble for Demo {
    fn panic(&self) -> Result<()> {
        panic!("asked to");
    }

    fn abort(&self) -> Result<()> {
        std::process::abort();
    }

    fn overflow(&self) -> Result<()> {
        // The black box keeps the compiler from turning the recursion into a loop.
        fn deeper(depth: u64) -> u64 {
            let local = std::hint::black_box([depth; 64]);
            match depth {
                u64::MAX => 0,
                _ => deeper(depth + 1) + local[0],
            }
        }
        std::hint::black_box(deeper(0));
        Ok(())
    }

    fn leak(&self, mib: u64) -> Result<()> {
        // Every page is written, or the kernel would not hand it out.
        let bytes =
            usize::try_from(mib << 20).map_err(|error| Fault::new(OVERFLOW, error.to_string()))?;
        std::hint::black_box(Vec::leak(vec![1_u8; bytes]));
        Ok(())
    }

    fn spin(&self, ms: u64) -> Result<()> {
        let end = std::time::Instant::now() + Duration::from_millis(ms);
        while std::time::Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(())
    }
}

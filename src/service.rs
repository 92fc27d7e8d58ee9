//! One trait on both sides.

/// Turns one trait definition into the trait, its client and its server.
///
/// From the definition it makes two things:
///
/// - the trait itself, with a further method `procedures(self)`, the server's *skeleton*, which
///   registers every method by its name and by its arguments' names;
/// - an implementation of the trait for [`ClientStub`](crate::ClientStub), whose methods are
///   remote calls.
///
/// So a local object and a remote one have the same type to their caller. Every method returns
/// [`Result`](crate::Result): a remote call can fail where a local one cannot, and its signature
/// says so.
///
/// ```
/// use ninestep::{Channel, ClientStub, Result, Server};
///
/// ninestep::service! {
///     /// Counts letters.
///     pub trait Letters {
///         /// How often `letter` occurs in `text`.
///         fn count(&self, text: String, letter: char) -> Result<u64>;
///     }
/// }
///
/// struct Local;
///
/// impl Letters for Local {
///     fn count(&self, text: String, letter: char) -> Result<u64> {
///         Ok(text.chars().filter(|c| *c == letter).count() as u64)
///     }
/// }
///
/// fn ask(letters: &impl Letters) -> Result<u64> {
///     letters.count("nine steps".to_string(), 'n')
/// }
///
/// let server = Server::new(Local.procedures());
/// let (channel, connection) = Channel::in_memory()?;
/// std::thread::spawn(move || server.serve(connection));
/// let remote = ClientStub::new(&channel)?;
/// assert_eq!(ask(&remote)?, ask(&Local)?);
/// # Ok::<(), ninestep::Error>(())
/// ```
///
/// # What a method may be
///
/// | a method | or else the compiler says |
/// |---|---|
/// | takes `&self` | `no rules expected` another token |
/// | has at most eight arguments | `this cannot be a procedure` |
/// | takes owned arguments, `String` for `&str` | `implementation of serde_core::de::Deserialize is not general enough` |
/// | returns this crate's `Result` | `mismatched types`: expected what it returns, found `Result` |
///
/// It has neither type parameters nor a body, and the trait has at least one method. Arguments and
/// results implement serde's `Deserialize` and `Serialize`.
///
/// # What it becomes
///
/// For that trait the macro writes, in short:
///
/// ```ignore
/// pub trait Letters: Send + Sync {
///     fn count(&self, text: String, letter: char) -> Result<u64>;
///
///     fn procedures(self) -> Procedures where Self: Sized + 'static {
///         let service = Arc::new(self);
///         Procedures::new()
///             .on_named("count", &["text", "letter"], move |text: String, letter: char| service.count(text, letter))
///     }
/// }
///
/// impl Letters for ClientStub {
///     fn count(&self, text: String, letter: char) -> Result<u64> {
///         self.call("count", (text, letter))
///     }
/// }
/// ```
///
/// A *relay*, a server that passes calls on to another, is a client stub in the place of the
/// implementation: `Server::new(stub.procedures())`.
#[macro_export]
macro_rules! service {
    (
        $(#[$trait_attribute:meta])*
        $visibility:vis trait $service:ident {$(
            $(#[$attribute:meta])*
            fn $method:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> $result:ty;
        )+}
    ) => {
        $(#[$trait_attribute])*
        #[allow(non_snake_case)]
        $visibility trait $service: Send + Sync {
            $(
                $(#[$attribute])*
                fn $method(&self, $($argument: $type),*) -> $result;
            )+

            /// The skeleton: every method of this object, ready for a server.
            fn procedures(self) -> $crate::Procedures
            where
                Self: Sized + 'static,
            {
                let service = ::std::sync::Arc::new(self);
                $crate::Procedures::new()$(.on_named(
                    stringify!($method),
                    &[$(stringify!($argument)),*],
                    {
                        let service = ::std::sync::Arc::clone(&service);
                        move |$($argument: $type),*| <Self as $service>::$method(&service, $($argument),*)
                    },
                ))+
            }
        }

        impl $service for $crate::ClientStub {
            $(fn $method(&self, $($argument: $type),*) -> $result {
                self.call(stringify!($method), ($($argument,)*))
            })+
        }
    };
}

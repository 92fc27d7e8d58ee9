//! Procedures: ordinary closures that can be called by name with packed arguments.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use serde::de::value::Error as Missing;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde::ser::Serialize;

use crate::idl::{Type, Types};
use crate::message::{Fault, Packed};
pub use crate::server_stub::Teller;

/// The procedures that a server offers, by name.
///
/// ```
/// use ninestep::{Fault, Procedures};
///
/// let procedures = Procedures::new()
///     .on("add", |a: i64, b: i64| a + b)
///     .on_named("divide", &["a", "b"], |a: f64, b: f64| match b {
///         0.0 => Err(Fault::new(1, "division by zero")),
///         _ => Ok(a / b),
///     });
/// assert_eq!(procedures.signature("add").unwrap().to_string(), "(i64, i64) -> i64");
/// assert_eq!(procedures.signature("divide").unwrap().to_string(), "(a: f64, b: f64) -> f64");
/// ```
#[derive(Clone, Default)]
pub struct Procedures {
    /// In the order of their names.
    by_name: Vec<Arc<Registered>>,
}

impl Procedures {
    /// No procedures yet.
    pub fn new() -> Procedures {
        Procedures::default()
    }

    /// Registers a closure of up to eight arguments, which callers give by position.
    ///
    /// It returns a value that serde can serialize, or `Result<value, E>` where `E` becomes a
    /// [`Fault`]. Trailing arguments of type `Option` may be left out. A name that was registered
    /// before is replaced.
    pub fn on<Marker: 'static, H: Handler<Marker>>(
        self,
        name: impl Into<String>,
        handler: H,
    ) -> Procedures {
        self.register(name.into(), &[], handler)
    }

    /// Registers a closure whose arguments callers give by position or by name.
    ///
    /// # Panics
    /// There are not as many names as arguments: a mistake in the program, found when it starts.
    pub fn on_named<Marker: 'static, H: Handler<Marker>>(
        self,
        name: impl Into<String>,
        arguments: &'static [&'static str],
        handler: H,
    ) -> Procedures {
        let name = name.into();
        assert_eq!(arguments.len(), H::COUNT, "{name} needs a name for each of its arguments");
        self.register(name, arguments, handler)
    }

    /// Registers a closure that takes all arguments as one value: a list or a map of any length.
    ///
    /// ```
    /// # use ninestep::Procedures;
    /// let procedures = Procedures::new().on_all("sum", |numbers: Vec<i64>| numbers.iter().sum::<i64>());
    /// # assert_eq!(procedures.names().collect::<Vec<_>>(), ["sum"]);
    /// ```
    pub fn on_all<Marker, T, R>(
        mut self,
        name: impl Into<String>,
        handler: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> Procedures
    where
        T: DeserializeOwned + 'static,
        R: Returns<Marker> + 'static,
        Marker: 'static,
    {
        let signature = Signature {
            arguments: vec![Argument { name: "...", type_name: short_type_name::<T>() }],
            returns: R::type_name(),
        };
        let types = PhantomData::<fn(T) -> (R, Marker)>;
        self.insert(Registered::new(name.into(), signature, Box::new(Whole { handler, types })));
        self
    }

    /// These procedures and the others; where both have a name, the others' counts.
    ///
    /// ```
    /// use ninestep::Procedures;
    ///
    /// let both = Procedures::new().on("one", || 1).and(Procedures::new().on("two", || 2));
    /// assert_eq!(both.names().collect::<Vec<_>>(), ["one", "two"]);
    /// ```
    pub fn and(mut self, others: Procedures) -> Procedures {
        others.by_name.into_iter().for_each(|it| self.insert(it));
        self
    }

    /// All names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter().map(|registered| &*registered.name)
    }

    /// What a procedure takes and returns.
    pub fn signature(&self, name: &str) -> Option<&Signature> {
        self.get(name.as_bytes()).map(|registered| &registered.signature)
    }

    /// What every procedure's arguments are made of, as their types say; the structs and enums
    /// among them are added to `types`. A procedure that takes all arguments as one value has one.
    pub fn argument_types(&self, types: &mut Types) -> Vec<(&str, Vec<Type>)> {
        let all = self.by_name.iter();
        all.map(|it| (&*it.name, it.procedure.argument_types(types))).collect()
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Registered> {
        self.place(name).ok().map(|place| &*self.by_name[place])
    }

    fn register<Marker: 'static, H: Handler<Marker>>(
        mut self,
        name: String,
        names: &'static [&'static str],
        handler: H,
    ) -> Procedures {
        let procedure = Typed { handler, names, marker: PhantomData };
        self.insert(Registered::new(name, H::signature(names), Box::new(procedure)));
        self
    }

    fn insert(&mut self, registered: Arc<Registered>) {
        match self.place(registered.name.as_bytes()) {
            Ok(place) => self.by_name[place] = registered,
            Err(place) => self.by_name.insert(place, registered),
        }
    }

    /// Where a name stands, or would stand.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        // Byte by byte: names are short, and the C library's comparison is a page fault to a forked
        // child.
        self.by_name.binary_search_by(|it| it.name.bytes().cmp(name.iter().copied()))
    }
}

impl fmt::Debug for Procedures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signatures = self.by_name.iter().map(|it| (&it.name, it.signature.to_string()));
        f.debug_map().entries(signatures).finish()
    }
}

/// What a procedure takes and returns, as Rust names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The arguments in order.
    pub arguments: Vec<Argument>,
    /// The type of the result.
    pub returns: String,
}

/// One argument of a procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name; empty where none was registered.
    pub name: &'static str,
    /// Its type, without module paths.
    pub type_name: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.takes(), self.returns)
    }
}

impl Signature {
    fn takes(&self) -> String {
        let arguments = self.arguments.iter().map(|argument| match argument.name {
            "" => argument.type_name.clone(),
            name => format!("{name}: {}", argument.type_name),
        });
        format!("({})", arguments.collect::<Vec<_>>().join(", "))
    }
}

/// A procedure with what the server stub knows about it.
pub(crate) struct Registered {
    pub(crate) name: String,
    signature: Signature,
    procedure: Box<dyn Procedure>,
    /// Above 0 when the procedure was quick lately.
    trust: AtomicI32,
}

impl Registered {
    /// Longer than this and a procedure is not quick: about what one more write costs, many times.
    const QUICK: Duration = Duration::from_micros(100);
    /// How often a procedure must be quick again after it was slow once.
    const PROBATION: i32 = 16;

    fn new(name: String, signature: Signature, procedure: Box<dyn Procedure>) -> Arc<Registered> {
        Arc::new(Registered { name, signature, procedure, trust: AtomicI32::new(0) })
    }

    /// Steps 5 and 6, with the arguments unpacked before.
    pub(crate) fn invoke(&self, arguments: Packed<'_, '_>, teller: &mut Teller<'_>) {
        if let Err(why) = self.procedure.invoke(arguments, teller) {
            teller.unfit(self.unfit(&why));
        }
    }

    #[cold]
    fn unfit(&self, why: &str) -> Fault {
        let message = format!("expected {}: {}", self.signature.takes(), Fault::shortened(why));
        Fault::new(Fault::WRONG_ARGUMENTS, message)
    }

    /// Whether finished replies may wait for this procedure, because it is over in a moment.
    pub(crate) fn is_quick(&self) -> bool {
        self.trust.load(Ordering::Relaxed) > 0
    }

    /// Learns how long the procedure took.
    pub(crate) fn took(&self, time: Duration) {
        let trust = self.trust.load(Ordering::Relaxed);
        if time > Registered::QUICK {
            self.trust.store(-Registered::PROBATION, Ordering::Relaxed);
        } else if trust <= 0 {
            self.trust.store(trust + 1, Ordering::Relaxed);
        }
    }
}

/// A procedure whose types are hidden behind packed arguments.
trait Procedure: Send + Sync {
    /// What its arguments are made of.
    fn argument_types(&self, types: &mut Types) -> Vec<Type>;

    /// Tells that the arguments are unpacked, runs, tells what it returned. Fails, without running,
    /// if the arguments do not fit.
    fn invoke(&self, arguments: Packed<'_, '_>, teller: &mut Teller<'_>) -> Result<(), String>;
}

struct Typed<H, Marker> {
    handler: H,
    names: &'static [&'static str],
    marker: PhantomData<fn() -> Marker>,
}

impl<Marker, H: Handler<Marker>> Procedure for Typed<H, Marker> {
    fn argument_types(&self, types: &mut Types) -> Vec<Type> {
        H::argument_types(types)
    }

    fn invoke(&self, arguments: Packed<'_, '_>, teller: &mut Teller<'_>) -> Result<(), String> {
        self.handler.handle(self.names, arguments, teller)
    }
}

struct Whole<F, Types> {
    handler: F,
    types: PhantomData<Types>,
}

impl<F, T, R, Marker> Procedure for Whole<F, fn(T) -> (R, Marker)>
where
    F: Fn(T) -> R + Send + Sync,
    T: DeserializeOwned,
    R: Returns<Marker>,
{
    fn argument_types(&self, types: &mut Types) -> Vec<Type> {
        vec![types.of::<T>()]
    }

    fn invoke(&self, arguments: Packed<'_, '_>, teller: &mut Teller<'_>) -> Result<(), String> {
        let arguments: T = arguments.unpack()?;
        teller.unpacked();
        (self.handler)(arguments).give(teller);
        Ok(())
    }
}

/// A closure of up to eight arguments that can be a procedure.
///
/// `Marker` exists for the compiler alone: it keeps closures of different shapes apart. The calls
/// come in this order: [`signature`](Handler::signature) once, [`handle`](Handler::handle) for
/// each call; [`argument_types`](Handler::argument_types) when somebody asks.
#[diagnostic::on_unimplemented(
    message = "this cannot be a procedure",
    note = "a procedure is a `Fn` closure of up to eight arguments that implement `serde::Deserialize`",
    note = "it returns a value that implements `serde::Serialize`, or `Result<value, Fault>`"
)]
pub trait Handler<Marker>: Send + Sync + 'static {
    /// How many arguments it takes.
    const COUNT: usize;

    /// What it takes and returns.
    fn signature(names: &'static [&'static str]) -> Signature;

    /// What its arguments are made of.
    fn argument_types(types: &mut Types) -> Vec<Type>;

    /// Unpacks the arguments, runs the closure and reports its outcome.
    ///
    /// # Errors
    /// The arguments do not fit; the closure did not run.
    fn handle(
        &self,
        names: &'static [&'static str],
        arguments: Packed<'_, '_>,
        teller: &mut Teller<'_>,
    ) -> Result<(), String>;
}

/// What a procedure may return: a plain value, or a `Result` whose error becomes a fault.
#[diagnostic::on_unimplemented(
    message = "a procedure cannot return `{Self}`",
    note = "it returns a value that implements `serde::Serialize`, or `Result<value, Fault>`"
)]
pub trait Returns<Marker> {
    /// The type of the value, without module paths.
    fn type_name() -> String;

    /// Reports the outcome.
    fn give(self, teller: &mut Teller<'_>);
}

/// Marks closures that return a value.
pub struct Plain;

/// Marks closures that return a `Result`.
pub struct Fallible;

impl<T: Serialize> Returns<Plain> for T {
    fn type_name() -> String {
        short_type_name::<T>()
    }

    fn give(self, teller: &mut Teller<'_>) {
        teller.returned(Ok(&self));
    }
}

impl<T: Serialize, E: Into<Fault>> Returns<Fallible> for Result<T, E> {
    fn type_name() -> String {
        short_type_name::<T>()
    }

    fn give(self, teller: &mut Teller<'_>) {
        match self {
            Ok(value) => teller.returned(Ok(&value)),
            Err(error) => teller.returned(Err(error.into())),
        }
    }
}

/// The arguments of a procedure, on their way from a list or a map to a tuple.
struct ArgumentsVisitor<Tuple> {
    names: &'static [&'static str],
    count: usize,
    tuple: PhantomData<Tuple>,
}

impl<'de, Tuple> DeserializeSeed<'de> for ArgumentsVisitor<Tuple>
where
    Self: Visitor<'de, Value = Tuple>,
{
    type Value = Tuple;

    /// Arguments without names still say how many they are, for wires that number them.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tuple, D::Error> {
        let names = if self.names.is_empty() { &[""; 8][..self.count] } else { self.names };
        deserializer.deserialize_struct("arguments", names, self)
    }
}

impl<Tuple> ArgumentsVisitor<Tuple> {
    /// How an error names an argument.
    #[cold]
    fn label(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) => format!("argument {} ({name})", index + 1),
            None => format!("argument {}", index + 1),
        }
    }

    /// What stands for an argument that was not given: `None`, for those that may be left out.
    #[cold]
    fn missing<'de, T: Deserialize<'de>, E: Error>(&self, index: usize) -> Result<T, E> {
        T::deserialize(Absent).map_err(|_| E::custom(format!("{} is missing", self.label(index))))
    }

    #[cold]
    fn unfit<E: Error>(&self, index: usize, why: E) -> E {
        E::custom(format!("{}: {why}", self.label(index)))
    }
}

/// Where an argument should have been: only an `Option` can be read from it.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = Missing;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Missing> {
        Err(Missing::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Missing> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Reads an argument's name as its position. Some wires have numbers, from 0, in place of names.
struct Position(&'static [&'static str], usize);

impl<'de> DeserializeSeed<'de> for Position {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Position {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_u64<E: Error>(self, position: u64) -> Result<usize, E> {
        let known = usize::try_from(position).ok().filter(|position| *position < self.1);
        known.ok_or_else(|| {
            E::custom(format!("there is no argument {}", position.saturating_add(1)))
        })
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        if self.0.is_empty() && self.1 > 0 {
            return Err(E::custom("these arguments have no names, give them as a list"));
        }
        let position = self.0.iter().position(|known| *known == name);
        position.ok_or_else(|| E::custom(format!("there is no argument {name:?}")))
    }
}

macro_rules! handlers {
    ($($count:literal: $($T:ident $value:ident $index:literal),*;)*) => {$(
        impl<F, R, Marker, $($T),*> Handler<(Marker, R, $($T,)*)> for F
        where
            F: Fn($($T),*) -> R + Send + Sync + 'static,
            R: Returns<Marker>,
            $($T: DeserializeOwned,)*
        {
            const COUNT: usize = $count;

            fn signature(names: &'static [&'static str]) -> Signature {
                let types: [String; $count] = [$(short_type_name::<$T>()),*];
                let name = |index: usize| names.get(index).copied().unwrap_or_default();
                let arguments = types.into_iter().enumerate();
                let arguments = arguments
                    .map(|(index, type_name)| Argument { name: name(index), type_name })
                    .collect();
                Signature { arguments, returns: R::type_name() }
            }

            fn argument_types(_types: &mut Types) -> Vec<Type> {
                vec![$(_types.of::<$T>()),*]
            }

            fn handle(
                &self,
                names: &'static [&'static str],
                arguments: Packed<'_, '_>,
                teller: &mut Teller<'_>,
            ) -> Result<(), String> {
                let visitor = ArgumentsVisitor { names, count: $count, tuple: PhantomData };
                let ($($value,)*): ($($T,)*) = arguments.unpack_seed(visitor)?;
                teller.unpacked();
                self($($value),*).give(teller);
                Ok(())
            }
        }

        impl<'de, $($T: Deserialize<'de>),*> Visitor<'de> for ArgumentsVisitor<($($T,)*)> {
            type Value = ($($T,)*);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the arguments, as a list or by name")
            }

            fn visit_seq<Items: SeqAccess<'de>>(self, mut items: Items) -> Result<Self::Value, Items::Error> {
                $(let $value = match items.next_element::<$T>().map_err(|why| self.unfit($index, why))? {
                    Some(value) => value,
                    None => self.missing($index)?,
                };)*
                let mut count = $count;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                if count > $count {
                    return Err(Items::Error::custom(format!("{count} arguments were given")));
                }
                Ok(($($value,)*))
            }

            fn visit_map<Entries: MapAccess<'de>>(self, mut entries: Entries) -> Result<Self::Value, Entries::Error> {
                $(let mut $value: Option<$T> = None;)*
                while let Some(position) = entries.next_key_seed(Position(self.names, $count))? {
                    let twice = match position {
                        $($index => {
                            let value = entries.next_value().map_err(|why| self.unfit($index, why))?;
                            $value.replace(value).is_some()
                        })*
                        _ => false,
                    };
                    if twice {
                        let label = self.label(position);
                        return Err(Entries::Error::custom(format!("{label} is given twice")));
                    }
                }
                Ok(($(match $value {
                    Some(value) => value,
                    None => self.missing($index)?,
                },)*))
            }
        }
    )*};
}

handlers! {
    0: ;
    1: A a 0;
    2: A a 0, B b 1;
    3: A a 0, B b 1, C c 2;
    4: A a 0, B b 1, C c 2, D d 3;
    5: A a 0, B b 1, C c 2, D d 3, E e 4;
    6: A a 0, B b 1, C c 2, D d 3, E e 4, G g 5;
    7: A a 0, B b 1, C c 2, D d 3, E e 4, G g 5, H h 6;
    8: A a 0, B b 1, C c 2, D d 3, E e 4, G g 5, H h 6, I i 7;
}

/// A type's name without the paths of its parts: `Option<String>`, not
/// `core::option::Option<alloc::string::String>`.
fn short_type_name<T>() -> String {
    let mut short = String::new();
    for part in std::any::type_name::<T>()
        .split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
    {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

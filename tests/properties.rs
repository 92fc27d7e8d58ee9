//! What holds for every value and for any bytes.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use ninestep::protocol::native::explain::{Dump, explain};
use ninestep::protocol::native::frame::{self, Frame, FrameFinder};
use ninestep::protocol::native::{Native, ValueError, pack, unpack};
use ninestep::protocol::{Answer, Call, Calls, Finder, Framing, Message, Outcome, Protocol, Side};
use ninestep::{Fault, Procedures, ProtocolError, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

const DEPTH: usize = 64;

fn packed(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    pack(value, DEPTH, &mut out).unwrap();
    out
}

/// Any value of the wire, in its one form: integers that fit an `i64` are no big integers.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (1_u64 << 63..=u64::MAX).prop_map(Value::BigInt),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::List),
            vec((any::<String>(), inner), 0..8).prop_map(Value::Map),
        ]
    })
}

/// Values are the same if they are the same bit for bit: "not a number" is itself.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.0 == other.0 && same(&one.1, &other.1))
        }
        _ => one == other,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Animal {
    Amoeba,
    Cat(u8),
    Dog(String, Option<bool>),
    Cow { name: String, milk: f32, calf: Option<Box<Animal>> },
    Herd(Vec<Animal>),
}

fn any_animal() -> impl Strategy<Value = Animal> {
    let alone = prop_oneof![
        Just(Animal::Amoeba),
        any::<u8>().prop_map(Animal::Cat),
        any::<(String, Option<bool>)>().prop_map(|(name, barks)| Animal::Dog(name, barks)),
    ];
    alone.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Animal::Herd),
            (any::<String>(), any::<f32>(), proptest::option::of(inner)).prop_map(
                |(name, milk, calf)| Animal::Cow { name, milk, calf: calf.map(Box::new) }
            ),
        ]
    })
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Zoo {
    integers: (i8, u8, i16, u16, i32, u32, i64, u64),
    wide: (i128, u128),
    flag: bool,
    letter: char,
    unit: (),
    bytes: ByteBuf,
    plain_bytes: Vec<u8>,
    maybe: Option<Vec<Option<i32>>>,
    fixed: [u16; 3],
    by_number: BTreeMap<i64, Animal>,
    by_truth: BTreeMap<bool, char>,
    by_name: BTreeMap<String, (f64, Wrapper)>,
    animals: Vec<Animal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(Option<String>);

prop_compose! {
    fn any_zoo()(
        integers in any::<(i8, u8, i16, u16, i32, u32, i64, u64)>(),
        wide in (i128::from(i64::MIN)..=i128::from(u64::MAX), 0..=u128::from(u64::MAX)),
        (flag, letter) in any::<(bool, char)>(),
        (bytes, plain_bytes, maybe, fixed) in
            any::<(Vec<u8>, Vec<u8>, Option<Vec<Option<i32>>>, [u16; 3])>(),
        by_number in btree_map(any::<i64>(), any_animal(), 0..4),
        by_truth in btree_map(any::<bool>(), any::<char>(), 0..3),
        by_name in btree_map(
            any::<String>(),
            (any::<f64>(), any::<Option<String>>().prop_map(Wrapper)),
            0..4,
        ),
        animals in vec(any_animal(), 0..4),
    ) -> Zoo {
        let bytes = ByteBuf::from(bytes);
        Zoo {
            integers, wide, flag, letter, unit: (), bytes, plain_bytes, maybe, fixed, by_number,
            by_truth, by_name, animals,
        }
    }
}

/// A whole frame of any kind with any body.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), any::<u32>(), vec(any::<u8>(), 0..64)).prop_map(|(kind, id, body)| {
        let mut out = Vec::new();
        let start = frame::begin(&mut out, kind, id);
        out.extend(body);
        frame::end(&mut out, start, 1_000).unwrap();
        out
    })
}

/// Bytes that are more often nearly right than random bytes are: a value with a few errors.
fn nearly_a_value() -> impl Strategy<Value = Vec<u8>> {
    let errors = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (any_value(), errors, any::<prop::sample::Index>()).prop_map(|(value, errors, cut)| {
        let mut bytes = packed(&value);
        for (at, byte) in errors {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Whole more often than not.
        let cut = cut.index(2 * bytes.len());
        bytes.truncate(cut.max(1));
        bytes
    })
}

/// Bytes in which the wire's letters are frequent.
fn letters() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![
        4 => proptest::sample::select(&b"_?qQdsy[{CNRFB9ST\x01"[..]),
        4 => Just(0),
        1 => 0_u8..8,
        1 => any::<u8>(),
    ];
    vec(letter, 0..200)
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..200), letters(), nearly_a_value()]
}

/// Calls that take whatever comes, as several types.
struct Anything;

impl Calls for Anything {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let outcome = match call.arguments.unpack::<Value>() {
            Ok(value) => reply(Ok(&value)),
            Err(error) => reply(Err(Fault::new(Fault::WRONG_ARGUMENTS, error))),
        };
        // What could be unpacked can be packed.
        outcome.unwrap();
    }

    fn procedures(&self) -> &Procedures {
        unreachable!("the native wire lists no procedures")
    }
}

fn tell_everything(bytes: &[u8]) {
    fn read<T: DeserializeOwned>(bytes: &[u8]) {
        let _ = unpack::<T>(bytes, DEPTH);
    }
    read::<Value>(bytes);
    read::<IgnoredAny>(bytes);
    read::<Zoo>(bytes);
    read::<Animal>(bytes);
    read::<Vec<u8>>(bytes);
    read::<BTreeMap<i64, Vec<Option<Animal>>>>(bytes);
    let _ = Frame::read(bytes);
    let _ = FrameFinder::new(true, 100).find(bytes);
    let _ = FrameFinder::new(false, 100).find(bytes);
    let native = Native::default();
    let mut out = Answer::default();
    let _ = native.answer(Message::new(bytes), &mut Anything, &mut out);
    let _ = native.unpack(Message::new(bytes), &mut |_| {});
}

/// The frames that a finder makes of pieces, and what ends them.
fn pieces(
    finder: &mut FrameFinder,
    pieces: &[&[u8]],
) -> (Vec<Vec<u8>>, Option<ProtocolError>, usize) {
    let (mut buffered, mut frames) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffered.extend_from_slice(piece);
        loop {
            match finder.find(&buffered) {
                Ok(Some(Range { start, end })) => {
                    frames.push(buffered[start..end].to_vec());
                    buffered.drain(..end);
                }
                Ok(None) => break,
                Err(broken) => return (frames, Some(broken), 0),
            }
        }
    }
    (frames, None, buffered.len())
}

proptest! {
    #[test]
    fn a_value_comes_back(value in any_value()) {
        let bytes = packed(&value);
        let back: Value = unpack(&bytes, DEPTH).unwrap();
        prop_assert!(same(&back, &value), "{back:?}");
        prop_assert_eq!(packed(&back), bytes);
    }

    #[test]
    fn a_rust_type_comes_back(zoo in any_zoo()) {
        let bytes = packed(&zoo);
        prop_assert_eq!(unpack::<Zoo>(&bytes, DEPTH), Ok(zoo));
        // And by way of a value that does not know the type.
        let value: Value = unpack(&bytes, DEPTH).unwrap();
        prop_assert_eq!(packed(&value), bytes);
    }

    #[test]
    fn what_is_read_is_written_so(bytes in any_bytes()) {
        if let Ok(value) = unpack::<Value>(&bytes, DEPTH) {
            let again = packed(&value);
            // A small integer with the tag of a large one is read, and written as it should be.
            prop_assert!(again == bytes || bytes.contains(&b'Q'), "{again:02x?}");
            prop_assert!(same(&unpack(&again, DEPTH).unwrap(), &value));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any_bytes()) {
        tell_everything(&bytes);
    }

    #[test]
    fn any_body_in_a_frame_is_read_without_a_panic(
        kind in proptest::sample::select(&b"CNRFB?"[..]),
        id in 0_u32..3,
        head in proptest::option::of("[a-z]{0,3}"),
        rest in any_bytes(),
    ) {
        let mut bytes = Vec::new();
        let start = frame::begin(&mut bytes, kind, id);
        if let Some(name) = head {
            bytes.extend([0, 0, 0, 0]);
            bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
            bytes.extend(name.bytes());
        }
        bytes.extend(rest);
        frame::end(&mut bytes, start, 1 << 20).unwrap();
        tell_everything(&bytes);
        let (message, mut answer) = (Message::new(&bytes), Answer::default());
        if Native::default().answer(message, &mut Anything, &mut answer).is_ok() && kind == b'C' {
            // One answer, to this call, and the client can read it.
            let out = answer.bytes;
            let frame = Frame::read(&out).unwrap();
            prop_assert_eq!(frame.id, id);
            let mut finder = Native::default().finder(Side::Client);
            prop_assert_eq!(finder.find(&out), Ok(Some(0..out.len())));
            prop_assert_eq!(Native::default().unpack(Message::new(&out), &mut |_| {}), Ok(()));
        }
    }

    #[test]
    fn an_explanation_names_every_byte_once(
        greeting in any::<bool>(),
        frames in vec(any_frame(), 0..3),
        rest in any_bytes(),
    ) {
        let greeting = if greeting { &frame::GREETING[..] } else { &[] };
        let bytes = [greeting, &frames.concat(), &rest].concat();
        let fields = explain(&bytes);
        let mut at = 0;
        for field in &fields {
            prop_assert_eq!(field.range.start, at, "{:?}", field);
            at = field.range.end;
        }
        prop_assert_eq!(at, bytes.len());
        prop_assert_eq!(Dump(&bytes).to_string().lines().count(), fields.len());
    }

    #[test]
    fn a_stream_in_pieces_is_the_same_frames(
        greeting in any::<bool>(),
        frames in vec(any_frame(), 0..6),
        tail in vec(any::<u8>(), 0..3),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let opening = if greeting { &frame::GREETING[..] } else { &[] };
        let stream = [opening, &frames.concat(), &tail].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let cut: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        // A greeting without a frame is not a message yet.
        let left = tail.len() + if frames.is_empty() { opening.len() } else { 0 };
        let expected = (frames, None, left);
        prop_assert_eq!(&pieces(&mut FrameFinder::new(greeting, 1_000), &cut), &expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&pieces(&mut FrameFinder::new(greeting, 1_000), &bytes), &expected);
    }

    #[test]
    fn any_stream_in_pieces_ends_as_the_whole_does(
        greeting in any::<bool>(),
        stream in any_bytes(),
        size in 1_usize..20,
    ) {
        let whole = pieces(&mut FrameFinder::new(greeting, 100), &[&stream]);
        let cut: Vec<&[u8]> = stream.chunks(size).collect();
        let cut = pieces(&mut FrameFinder::new(greeting, 100), &cut);
        prop_assert_eq!(&cut.0, &whole.0);
        prop_assert_eq!(cut.2, whole.2);
        // The greeting that is quoted may be shorter.
        prop_assert_eq!(
            cut.1.map(|broken| std::mem::discriminant(&broken)),
            whole.1.map(|broken| std::mem::discriminant(&broken))
        );
    }

    #[test]
    fn no_word_of_a_count_is_believed(
        tag in proptest::sample::select(&b"sy[{"[..]),
        count in 1_000_u32..,
        rest in vec(any::<u8>(), 0..200),
    ) {
        let bytes = [&[tag], &count.to_be_bytes()[..], &rest].concat();
        prop_assert_eq!(unpack::<Value>(&bytes, DEPTH), Err(ValueError::Truncated));
        prop_assert_eq!(unpack::<IgnoredAny>(&bytes, DEPTH).map(|_| ()), Err(ValueError::Truncated));
    }
}

/// The most address space that this process ever had, in KiB: a promise that was believed would
/// show here even if no page of it was touched.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_promise_reserves_no_memory() {
    let before = most_memory();
    for tag in b"sy[{" {
        let promise = [&[*tag][..], &[255; 4], &[b'_'; 64]].concat();
        assert!(unpack::<Value>(&promise, DEPTH).is_err());
        assert!(unpack::<Vec<[u64; 32]>>(&promise, DEPTH).is_err());
        assert!(unpack::<Vec<u8>>(&promise, DEPTH).is_err());
        assert!(unpack::<String>(&promise, DEPTH).is_err());
        assert!(unpack::<ByteBuf>(&promise, DEPTH).is_err());
        assert!(unpack::<BTreeMap<String, Value>>(&promise, DEPTH).is_err());
        let mut nested = b"[\0\0\0\x01".repeat(60);
        nested.extend(&promise);
        assert!(unpack::<Value>(&nested, DEPTH).is_err());
    }
    let mut finder = FrameFinder::new(false, usize::MAX);
    assert_eq!(finder.find(&[255; 100]), Ok(None));
    // 4 GiB were promised dozens of times; threads of other tests may come and go meanwhile.
    let grown = most_memory() - before;
    assert!(grown < 2 << 20, "{grown} KiB");
}

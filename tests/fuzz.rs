//! Every decoder with bytes that nobody would send: the seeds in `tests/fuzz/seeds/`, and what
//! comes of changing them. A fuzzer finds more, and takes longer: CONTRIBUTING.md says how.
#![cfg(feature = "cli")]

#[path = "fuzz/targets.rs"]
pub mod targets;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

const CHANGES: usize = 2_000;
/// Longer ones find no more, and take longer.
const LONGEST: usize = 4_096;

#[test]
fn no_bytes_do_harm() {
    thread::scope(|scope| {
        for (name, target) in targets::ALL {
            // A panic then says whose it was.
            let named = thread::Builder::new().name(name.to_owned());
            named.spawn_scoped(scope, move || run(name, target)).unwrap();
        }
    });
}

fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(seeds.len() >= 5, "{name} has too few seeds");
    let run = |data: &[u8]| {
        let shown = Shown(data);
        target(data);
        drop(shown);
    };
    run(&[]);
    seeds.iter().for_each(|seed| run(seed));
    let mut random = Random(name.bytes().fold(1, |seed, byte| seed * 31 + u64::from(byte)));
    for _ in 0..CHANGES {
        let mut data = random.one_of(&seeds).clone();
        for _ in 0..=random.below(4) {
            random.change(&mut data, &seeds);
        }
        data.truncate(LONGEST);
        run(&data);
    }
}

/// Shows what did harm.
struct Shown<'d>(&'d [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut hex = String::new();
            self.0.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
            eprintln!("the bytes were {hex}\n{}", String::from_utf8_lossy(self.0));
        }
    }
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn one_of<'s, T>(&mut self, all: &'s [T]) -> &'s T {
        &all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        // Most often one that means something somewhere.
        const KNOWN: &[u8] =
            b"\0\x01\x7f\x80\xff\r\n\t \"'<>&{}[]();:,./=-+0123456789aeinrsuz_?qQdy";
        match self.below(4) {
            0 => self.below(256) as u8,
            _ => *self.one_of(KNOWN),
        }
    }

    fn change(&mut self, data: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(data.len() + 1);
        let length = 1 + self.below(9);
        let end = data.len().min(at + length);
        let byte = self.byte();
        match self.below(7) {
            0 => data.truncate(at),
            1 => drop(data.drain(at..end)),
            2 => data.insert(at, byte),
            3 => {
                let piece = data[at..end].to_vec();
                let times = 1 + self.below(100);
                data.splice(at..at, piece.repeat(times));
            }
            4 => {
                let other = self.one_of(seeds);
                let from = self.below(other.len() + 1);
                data.splice(at.., other[from..].iter().copied());
            }
            5 if at < data.len() => data[at] ^= 1 << self.below(8),
            _ => data[at..end].fill(byte),
        }
    }
}

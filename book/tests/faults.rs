//! Every kind of fault is found, with file and line: each test plants one in a copy of a tiny
//! book, which is in `tests/tiny/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ninestep_book::check::{check, check_text};
use ninestep_book::render::render;
use tempfile::TempDir;

/// A copy of the tiny book.
struct Tiny(TempDir);

impl Tiny {
    fn new() -> Tiny {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny"), copy.path());
        Tiny(copy)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Plants a fault: `new` in the place of `old`, which is there once.
    #[track_caller]
    fn replace(&self, file: &str, old: &str, new: &str) -> &Tiny {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {file}");
        self.write(file, &text.replace(old, new))
    }

    fn write(&self, file: &str, text: &str) -> &Tiny {
        fs::write(self.path(file), text).unwrap();
        self
    }

    fn remove(&self, file: &str) -> &Tiny {
        fs::remove_file(self.path(file)).unwrap();
        self
    }

    /// The faults in the text are these and no others.
    #[track_caller]
    fn has(&self, expected: &[&str]) {
        let findings = check_text(self.0.path()).unwrap();
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    /// The faults that are found when the examples are run too.
    #[track_caller]
    fn prints(&self, expected: &[&str]) {
        let findings = check(self.0.path()).unwrap();
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }
}

/// Where `CARGO_TARGET_DIR` is set, all copies are built in one place, and cargo takes an older
/// copy for one that is built already. So those that are built are copied one after another.
fn alone() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

const CHAPTER: &str = "chapters/01-hello.md";

#[test]
fn the_tiny_book_has_no_fault() {
    let _alone = alone();
    Tiny::new().prints(&[]);
}

#[test]
fn below_code_is_a_link_to_its_file() {
    let (tiny, out) = (Tiny::new(), tempfile::tempdir().unwrap());
    render(tiny.0.path(), out.path()).unwrap();
    let page = fs::read_to_string(out.path().join("01-hello.html")).unwrap();
    assert!(page.contains(r#"<a href="files/src/lib.rs.txt">src/lib.rs</a>"#), "{page}");
    assert!(out.path().join("files/src/lib.rs.txt").is_file());
}

#[test]
fn code_begins_at_the_left() {
    let (tiny, out) = (Tiny::new(), tempfile::tempdir().unwrap());
    let deep = "mod deep {\n    // ANCHOR: greeting\n    fn a() {\n        b()\n\n    }\n    \
                // ANCHOR_END: greeting\n}\n";
    tiny.write("src/lib.rs", deep);
    render(tiny.0.path(), out.path()).unwrap();
    let page = fs::read_to_string(out.path().join("01-hello.html")).unwrap();
    assert!(page.contains(">fn a() {\n    b()\n\n}\n</code>"), "{page}");
}

#[test]
fn an_include_of_a_missing_file() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "../Cargo.toml:1:3", "../Carg.toml:1:3");
    tiny.has(&["chapters/01-hello.md:25: there is no file ../Carg.toml"]);
}

#[test]
fn an_include_of_a_missing_anchor() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "lib.rs:greeting", "lib.rs:greetings");
    tiny.has(&["chapters/01-hello.md:21: there is no anchor greetings"]);
}

#[test]
fn an_include_of_an_anchor_without_an_end_or_with_two_beginnings() {
    let tiny = Tiny::new();
    tiny.replace("src/lib.rs", "// ANCHOR_END: greeting", "");
    tiny.has(&["chapters/01-hello.md:21: the anchor greeting has no end"]);

    let tiny = Tiny::new();
    tiny.replace("src/lib.rs", "// ANCHOR: greeting", "// ANCHOR: greeting\n// ANCHOR: greeting");
    tiny.has(&["chapters/01-hello.md:21: there are two anchors greeting"]);
}

#[test]
fn an_include_of_an_empty_anchor() {
    let tiny = Tiny::new();
    let empty = "// ANCHOR: greeting\n\n// ANCHOR: inner\n// ANCHOR_END: greeting\n";
    tiny.write("src/lib.rs", empty);
    tiny.has(&["chapters/01-hello.md:21: ../src/lib.rs:greeting is empty"]);
}

#[test]
fn an_include_of_lines_that_are_not_there() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "../Cargo.toml:1:3", "../Cargo.toml:5:9");
    tiny.has(&["chapters/01-hello.md:25: the file has 6 lines, and not 5:9"]);
    tiny.replace(CHAPTER, "../Cargo.toml:5:9", "../Cargo.toml:5");
    tiny.has(&["chapters/01-hello.md:25: ../Cargo.toml:5 is empty"]);
}

#[test]
fn an_include_of_several_lines_in_a_list() {
    let tiny = Tiny::new();
    let item = "- first\n\n  ```toml\n  {{#include ../Cargo.toml:1:3}}\n  ```\n";
    tiny.replace(CHAPTER, "```toml\n{{#include ../Cargo.toml:1:3}}\n```\n", item);
    tiny.has(&["chapters/01-hello.md:27: an include of several lines begins at the left"]);
    tiny.replace(CHAPTER, "Cargo.toml:1:3", "Cargo.toml:2");
    tiny.has(&[]);
}

#[test]
fn another_directive_than_include() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "{{#include ../Cargo.toml:1:3}}", "{{#playground ../src/lib.rs}}");
    tiny.has(&[
        "chapters/01-hello.md:24: toml is one #include from the repository, or marked `toml,quote`",
        "chapters/01-hello.md:25: #playground is not used in this book; only #include is",
    ]);
}

#[test]
fn a_dead_link() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "../src/lib.rs", "../src/main.rs");
    tiny.replace("chapters/about.md", "[rules]: 01-hello.md", "[rules]: 02-rules.md");
    tiny.has(&[
        "chapters/about.md:3: ../src/main.rs: there is no such file",
        "chapters/about.md:4: 02-rules.md: there is no such file",
    ]);
}

#[test]
fn a_dead_link_in_html() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "The road there.", "<a href=\"road.html\">The road</a>.");
    tiny.has(&["chapters/01-hello.md:34: road.html: there is no such file"]);
}

#[test]
fn a_link_to_a_place_that_the_page_does_not_have() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "#run-it", "#walk-it");
    tiny.has(&["chapters/about.md:3: 01-hello.md#walk-it: the page has no such place"]);
    tiny.replace("chapters/about.md", "01-hello.md#walk-it", "#walk-it");
    tiny.has(&["chapters/about.md:3: #walk-it: the page has no such place"]);
    tiny.replace("chapters/about.md", "#walk-it", "../src/lib.rs#L3");
    tiny.has(&["chapters/about.md:3: ../src/lib.rs#L3: only pages have places to link to"]);
}

#[test]
fn a_link_whose_label_stands_for_nothing() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "[rules]: 01-hello.md", "");
    tiny.has(&["chapters/about.md:4: [rules]: no line says what this label stands for"]);
}

#[test]
fn a_link_to_elsewhere_that_is_not_https_or_malformed() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "https://example.org/words", "http://example.org/words");
    tiny.has(&["chapters/about.md:4: http://example.org/words: a link to elsewhere is https"]);
    tiny.replace("chapters/about.md", "http://example.org/words", "https://example.org:port/");
    tiny.has(&["chapters/about.md:4: https://example.org:port/: invalid port number"]);
}

#[test]
fn a_link_out_of_the_repository() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "../src/lib.rs", "../../src/lib.rs");
    tiny.has(&["chapters/about.md:3: ../../src/lib.rs: this is outside of the repository"]);
}

#[test]
fn a_picture_or_a_script_from_elsewhere() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "# About", "# About\n\n![a](https://example.org/a.png)");
    tiny.replace(
        CHAPTER,
        "<figure>",
        "<script src=\"https://example.org/a.js\"></script>\n<figure>",
    );
    tiny.has(&[
        "chapters/01-hello.md:32: https://example.org/a.js: a page is whole without the network",
        "chapters/about.md:3: https://example.org/a.png: a page is whole without the network",
    ]);
}

#[test]
fn a_chapter_that_the_summary_does_not_list() {
    let tiny = Tiny::new();
    tiny.write("chapters/02-lost.md", "# Lost\n");
    tiny.replace("chapters/about.md", "../src/lib.rs", "02-lost.md");
    tiny.has(&[
        "chapters/02-lost.md:1: the summary does not list this chapter",
        "chapters/about.md:3: 02-lost.md: the summary does not list this chapter",
    ]);
}

#[test]
fn a_chapter_that_is_only_in_the_summary() {
    let tiny = Tiny::new();
    tiny.replace("chapters/SUMMARY.md", "[Not yet written]()", "[Written](02-later.md)");
    tiny.has(&[
        "chapters/SUMMARY.md:6: there is no chapters/02-later.md",
        "examples/02_later.rs:1: no chapter has a command with `--example 02_later`",
    ]);
}

#[test]
fn code_that_nobody_compiles() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "{{#include ../src/lib.rs:greeting}}", "fn greeting() {}");
    let fault = "Rust code is one #include from src/, examples/ or tests/";
    tiny.has(&[&format!("chapters/01-hello.md:20: {fault}")]);
    tiny.replace(CHAPTER, "fn greeting() {}", "fn a() {}\n{{#include ../src/lib.rs:greeting}}");
    tiny.has(&[&format!("chapters/01-hello.md:20: {fault}")]);
    tiny.write("chapters/code.rs", "fn a() {}\n");
    tiny.replace(CHAPTER, "fn a() {}\n{{#include ../src/lib.rs:greeting}}", "{{#include code.rs}}");
    tiny.has(&[&format!("chapters/01-hello.md:20: {fault}")]);
}

#[test]
fn code_that_is_not_marked_as_it_should_be() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "```rust,ignore", "```rust");
    tiny.has(&["chapters/01-hello.md:20: Rust code is marked `rust,ignore`"]);
    tiny.replace(CHAPTER, "```rust\n", "```\n");
    tiny.has(&["chapters/01-hello.md:20: a block needs a language"]);
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "[rules]:", "    fn indented() {}\n\n[rules]:");
    tiny.has(&["chapters/about.md:6: indented code; use fences"]);
}

#[test]
fn a_command_block_with_more_than_commands() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "-- 1\n", "-- 1\nno answer\n");
    tiny.has(&["chapters/01-hello.md:5: a command begins with `$ `"]);
}

#[test]
fn output_that_no_example_printed() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "{{#include ../examples/expected/01_hello.txt}}", "first");
    tiny.has(&[
        "chapters/01-hello.md:10: output is one #include from examples/expected/; what is \
                none is marked `text,drawing` or `text,notation` or `text,quote`",
    ]);
}

#[test]
fn output_that_differs_from_what_the_example_prints() {
    let _alone = alone();
    let tiny = Tiny::new();
    tiny.replace("examples/01_hello.rs", "tiny::greeting(std::process::id())", "\"good bye\"");
    tiny.replace("examples/break_it/ch01_hello.rs", "no answer", "no reply");
    tiny.prints(&[
        "examples/expected/01_hello.txt:2: the example prints now: good bye",
        "examples/expected/break_it_01.txt:1: the example prints now: no reply",
    ]);
    tiny.replace("examples/01_hello.rs", "    println!(\"{}\", \"good bye\");\n", "");
    tiny.replace("examples/break_it/ch01_hello.rs", "no reply", "no answer");
    tiny.prints(&["examples/expected/01_hello.txt:2: the example prints now: nothing more"]);
}

#[test]
fn a_command_that_names_what_is_not_there() {
    let _alone = alone();
    let tiny = Tiny::new();
    fs::create_dir_all(tiny.path("tests/exercises/e01a_hello")).unwrap();
    let program = "fn main() { if std::env::args().nth(1).unwrap() == \"greet\" { \
                   println!(\"--loud, --to NAME\") } else { std::process::exit(2) } }";
    tiny.write("src/main.rs", program);
    tiny.replace(
        CHAPTER,
        "$ cargo run --example 01_hello\n",
        "$ cargo run --example 01_hello\n$ cargo exercise 1a\n$ cargo run -- greet --loud\n\
         $ cargo exercise 1b\n$ cargo run --release -- greet --louder\n$ cargo run -- great\n\
         $ cp src/lib.rs elsewhere\n$ python3 greet.py\n$ cargo test --test greeting\n",
    );
    tiny.prints(&[
        "chapters/01-hello.md:9: there is no exercise 1b",
        "chapters/01-hello.md:10: greet has no option --louder",
        "chapters/01-hello.md:11: great is no subcommand",
        "chapters/01-hello.md:13: there is no file greet.py",
        "chapters/01-hello.md:14: there is no test greeting",
    ]);
}

#[test]
fn output_of_an_example_that_is_gone() {
    let _alone = alone();
    let tiny = Tiny::new();
    tiny.write("examples/expected/03_gone.txt", "gone\n");
    tiny.replace(CHAPTER, "expected/01_hello.txt", "expected/03_gone.txt");
    tiny.prints(&["chapters/01-hello.md:11: no example prints examples/expected/03_gone.txt"]);
}

#[test]
fn an_example_without_a_chapter() {
    let tiny = Tiny::new();
    tiny.write("examples/03_alone.rs", "//! Nobody shows it.\n//! Chapter 3.\nfn main() {}\n");
    tiny.write("examples/break_it/ch03_alone.rs", "//! Nobody shows it.\n");
    tiny.has(&[
        "examples/03_alone.rs:2: no chapter has a command with `--example 03_alone`",
        "examples/break_it/ch03_alone.rs:1: no chapter has a command with `--example break_it -- 3`",
    ]);
}

#[test]
fn a_chapter_whose_example_does_not_exist() {
    let tiny = Tiny::new();
    tiny.replace(CHAPTER, "01_hello\n$", "01_hello -- fast\n$ cargo run --example 01_helo\n$");
    tiny.replace(CHAPTER, "-- 1\n", "-- 1\n$ cargo run --example break_it -- 2\n");
    tiny.has(&[
        "chapters/01-hello.md:7: there is no example 01_helo",
        "chapters/01-hello.md:9: there is no example break_it -- 2",
    ]);
}

#[test]
fn a_figure_without_a_text() {
    let tiny = Tiny::new();
    tiny.replace("book/pictures/road.svg", "<title>A road</title>\n", "");
    tiny.write("chapters/a.png", "");
    tiny.replace("chapters/about.md", "# About", "# About\n\n![](a.png)\n<img src=\"a.png\">");
    tiny.has(&[
        "book/pictures/road.svg:1: an <svg> does not begin with a <title>",
        "chapters/about.md:3: an image without a text: ![text](file)",
        "chapters/about.md:4: an <img> without a text: alt=\"text\"",
    ]);
}

#[test]
fn a_drawing_that_ends_in_the_middle() {
    let tiny = Tiny::new();
    tiny.replace("book/pictures/road.svg", "</title>\n", "</title>\n\n");
    tiny.has(&["book/pictures/road.svg:3: an empty line ends a drawing inside a page"]);
}

#[test]
fn a_misspelling_in_a_page_a_drawing_or_a_comment() {
    let tiny = Tiny::new();
    tiny.replace("chapters/about.md", "see also", "*recieve* colors, `color`");
    tiny.replace(CHAPTER, "The road there.", "Teh road there.");
    tiny.replace("book/pictures/road.svg", "there and back", "there adn back");
    tiny.replace("src/lib.rs", "the colours of", "the colors of `color`");
    tiny.has(&[
        "book/pictures/road.svg:3: adn is misspelled: write and",
        "chapters/01-hello.md:34: Teh is misspelled: write the",
        "chapters/about.md:3: colors is misspelled: write colours",
        "chapters/about.md:3: recieve is misspelled: write receive",
        "src/lib.rs:3: colors is misspelled: write colours",
    ]);
}

#[test]
fn british_words_and_words_that_are_marked_as_american_are_no_misspellings() {
    let tiny = Tiny::new();
    let title = "<span lang=\"en-US\">Behavior</span>, a licence, *to license*, behaviour";
    tiny.replace("chapters/about.md", "see also", title);
    tiny.has(&[]);
    tiny.replace("chapters/about.md", "</span>", "</span> behavior");
    tiny.has(&["chapters/about.md:3: behavior is misspelled: write behaviour"]);
}

#[test]
fn a_book_that_is_not_there() {
    let tiny = Tiny::new();
    tiny.remove("chapters/SUMMARY.md");
    assert!(check_text(tiny.0.path()).is_err());
}

//! `ninestep trace`: what its page holds, and that the book shows such a page as it is now.
//! `UPDATE_EXPECTED=1 cargo test --test stepper` records the book's anew.

mod elements;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ninestep::Step;
use ninestep::protocol::native::explain::explain;

use elements::{Element, elements};

const ADD: &[&str] = &["add", "10", "5"];
const REQUEST: &[u8] =
    b"\0\0\0\x27C\0\0\0\x01\0\0\0\0\0\0\0\x03add[\0\0\0\x02q\0\0\0\0\0\0\0\x0aq\0\0\0\0\0\0\0\x05";
const REPLY: &[u8] = b"\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f";

fn trace(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ninestep"));
    command.arg("trace").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The page about a call, as it is written for a test of this name.
fn page(name: &str, call: &[&str]) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stepper-{name}.html"));
    let file = file.to_str().unwrap();
    let output = trace(&[&["--out", file, "--"], call].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{file}\n"));
    fs::read_to_string(file).unwrap()
}

fn has_class(element: &Element, class: &str) -> bool {
    element.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class))
}

/// The elements of each step's panel.
fn panels(page: &str) -> Vec<Vec<Element>> {
    let mut panels: Vec<Vec<Element>> = Vec::new();
    for element in elements(page) {
        if element.name == "section" {
            panels.push(Vec::new());
        }
        if let Some(panel) = panels.last_mut() {
            panel.push(element);
        }
    }
    panels
}

fn texts(panel: &[Element], class: &str) -> Vec<String> {
    let of_class = panel.iter().filter(|element| has_class(element, class));
    of_class.map(|element| element.text.clone()).collect()
}

/// The only text of this class, as a number.
fn number(panel: &[Element], class: &str) -> u32 {
    let texts = texts(panel, class);
    assert_eq!(texts.len(), 1, "{class}: {texts:?}");
    texts[0].parse().unwrap()
}

#[test]
fn nine_panels_say_who_takes_which_step_where_and_when() {
    let panels = panels(&page("nine", ADD));
    assert_eq!(panels.len(), 9);
    let mut processes = Vec::new();
    for (step, panel) in Step::ALL.into_iter().zip(&panels) {
        let side = if step.who().starts_with("client") { "client" } else { "server" };
        assert!(has_class(&panel[0], side), "{:?}", panel[0]);
        let id = format!("step-{}", step.number());
        assert_eq!(panel[0].attribute("id"), Some(&*id));
        let title = texts(panel, "title").concat();
        assert_eq!(title, format!(" the {} {}", step.who(), step.what()));
        processes.push(number(panel, "process"));
        assert!(number(panel, "thread") > 0);
        number(panel, "time");
    }
    let (client, server) = (processes[0], processes[3]);
    assert_ne!(client, server);
    assert_eq!(processes, [[client; 3].as_slice(), &[server; 4], &[client; 2]].concat());
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "the server was left behind");
}

#[test]
fn every_place_is_a_line_of_the_sources_and_holds_the_code_that_is_shown() {
    let mut seen = 0;
    for panel in panels(&page("places", ADD)) {
        assert!(panel.iter().any(|element| has_class(element, "source")), "no place");
        for pair in panel.windows(2).filter(|pair| has_class(&pair[0], "place")) {
            let (file, line) = pair[0].text.split_once(':').unwrap();
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
            let text = text.unwrap();
            let code = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap().trim();
            if has_class(&pair[1], "code") {
                assert_eq!(pair[1].text, code, "{}", pair[0].text);
                seen += 1;
            }
        }
    }
    // One for each step, and those of the fields.
    assert!(seen > 9, "{seen}");
}

#[test]
fn every_byte_is_there_once_in_one_field() {
    let panels = panels(&page("bytes", ADD));
    let sent = [b"9ST\x01".as_slice(), REQUEST].concat();
    for (number, bytes) in [(2, REQUEST), (3, &sent), (4, REQUEST), (7, REPLY), (8, REPLY)] {
        let panel = &panels[number - 1];
        let fields: Vec<&Element> =
            panel.iter().filter(|e| e.attribute("data-fields").is_some()).collect();
        let of = |name: &str| -> Vec<&Element> {
            fields.iter().copied().filter(|element| element.name == name).collect()
        };
        // In the message, in the list of fields, and in the picture.
        let (mut runs, mut drawn) = (of("span").into_iter(), Vec::new());
        for (index, field) in explain(bytes).iter().enumerate() {
            let run = runs.next().unwrap();
            let hex: Vec<String> =
                bytes[field.range.clone()].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(run.text, hex.join(" "));
            let number = (index + 1).to_string();
            assert_eq!(run.attribute("data-fields"), Some(&*number));
            drawn.extend(field.range.clone().map(|_| number.clone()));
        }
        assert!(runs.next().is_none());
        let squares: Vec<String> = of("rect")
            .iter()
            .map(|square| square.attribute("data-fields").unwrap().to_owned())
            .collect();
        assert_eq!(squares, drawn);
        let names: Vec<String> = explain(bytes).into_iter().map(|field| field.name).collect();
        assert_eq!(texts(panel, "name"), names);
        // Every field was written by one line.
        let mut written: Vec<usize> = of("li")
            .iter()
            .filter_map(|line| line.attribute("data-fields"))
            .skip(names.len())
            .flat_map(|fields| fields.split(' ').map(|field| field.parse().unwrap()))
            .collect();
        written.sort_unstable();
        assert_eq!(written, (1..=names.len()).collect::<Vec<_>>());
    }
    for number in [1, 5, 6, 9] {
        assert!(panels[number - 1].iter().all(|element| element.name != "details"));
    }
}

#[test]
fn it_is_whole_without_anything_else() {
    let page = page("whole", ADD);
    for element in elements(&page) {
        for attribute in ["src", "href", "action", "style"] {
            assert_eq!(element.attribute(attribute), None, "{element:?}");
        }
    }
    for elsewhere in ["http:", "https:", "url(", "@import", "fetch("] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn what_is_called_stays_text() {
    let hostile = "</script><script>alert('1')</script>&\"<b>";
    let page = page("hostile", &["echo", hostile]);
    let elements = elements(&page);
    assert_eq!(elements.iter().filter(|element| element.name == "script").count(), 1);
    assert!(
        elements.iter().all(|element| element.name != "b" || element.text.starts_with("Step "))
    );
    let call = format!("echo({hostile:?})");
    assert!(elements.iter().any(|element| has_class(element, "code") && element.text == call));
}

#[test]
fn a_long_message_is_there_and_not_all_of_it_is_drawn() {
    let long = "long ".repeat(2000);
    let panels = panels(&page("long", &["echo", &long]));
    let squares =
        panels[1].iter().filter(|e| e.name == "rect" && e.attribute("data-fields").is_some());
    assert_eq!(squares.count(), 64);
    let hex = "6c 6f 6e 67 20 ".repeat(2000);
    assert!(panels[1].iter().any(|element| element.text.ends_with(hex.trim_end())));
}

#[test]
fn a_step_that_was_not_taken_says_so() {
    let panels = panels(&page("fault", &["nobody"]));
    assert_eq!(panels.len(), 9);
    for (index, panel) in panels.iter().enumerate() {
        let is_taken = !texts(panel, "thread").is_empty();
        assert_eq!(is_taken, !matches!(index + 1, 5 | 6), "step {}", index + 1);
        let says =
            panel.iter().any(|element| element.text.starts_with("This step was not taken: "));
        assert_eq!(says, !is_taken);
    }
}

#[test]
fn without_a_file_the_steps_are_printed() {
    let output = trace(&["sayHi", "Ada"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let step = |line: &&str| {
        line.starts_with("  ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit)
    };
    assert_eq!(text.lines().filter(step).count(), 9, "{text}");
    for part in [r#"calls sayHi("Ada") as if"#, r#"has the result: "Hi Ada!""#] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let output = trace(&["--out", "/dev/null/trace.html", "ping"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("writing /dev/null/trace.html: "), "{errors}");
}

/// The part of a page that the book shows.
fn stepper(page: &str) -> &str {
    let start = page.find("<div class=\"stepper\">").unwrap();
    let end = page.find("</main>").unwrap();
    &page[start..end]
}

/// The text with `#` for the numbers of processes and threads, and for times.
fn masked(text: &str) -> String {
    let before =
        ["process ", "Process ", "class=\"process\">", "class=\"thread\">", "class=\"time\">"];
    let mut masked = text.to_owned();
    for mark in before {
        let parts =
            masked.split(mark).map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        masked = parts.collect::<Vec<_>>().join(&format!("{mark}#"));
    }
    masked
}

#[test]
fn the_book_shows_the_steps_as_they_are_now() {
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/pictures/stepper.html");
    let page = page("book", ADD);
    let now = stepper(&page);
    assert!(!now.contains("\n\n"), "an empty line ends HTML inside a page");
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&shown, now).unwrap();
    }
    let shown = fs::read_to_string(shown).unwrap();
    for (shown, now) in masked(&shown).lines().zip(masked(now).lines()) {
        assert_eq!(shown, now, "UPDATE_EXPECTED=1 cargo test --test stepper records it anew");
    }
    assert_eq!(masked(&shown).lines().count(), masked(now).lines().count());
}
